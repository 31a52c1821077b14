"""What an endpoint really does, against what is written down of it.

questions    what is asked, and what came back
findings     the words for what was found
judging      what the answers show
probes       all that there is to find out, and whether it is what the profile says
examine      asks everything
"""

from graphrt.backends.probing.examine import Report as Report
from graphrt.backends.probing.examine import examine as examine
from graphrt.backends.probing.findings import Finding as Finding

__all__ = ["Finding", "Report", "examine"]
