"""A layered layout of nested graphs, in plain Python: where boxes, arrows and labels go.

The innermost clusters are laid out first, each by itself; then it is one box of the level around it. `cycles` finds
what leads back, `ranks` the row of each box, `stagger` a second one where a row would be too wide, `order` the order in
a row, `places` the place from left to right, `ports` where arrows meet a box; `level` puts them together. Pure: the
same graph gives the same picture to the bit.
"""

from graphrt.draw.layout.facts import Cluster as Cluster
from graphrt.draw.layout.facts import Direction as Direction
from graphrt.draw.layout.facts import Item as Item
from graphrt.draw.layout.facts import Layout as Layout
from graphrt.draw.layout.facts import Link as Link
from graphrt.draw.layout.facts import Point as Point
from graphrt.draw.layout.facts import Rect as Rect
from graphrt.draw.layout.nested import layout as layout
from graphrt.draw.layout.nested import leading_back as leading_back

__all__ = ["Cluster", "Direction", "Item", "Layout", "Link", "Point", "Rect", "layout", "leading_back"]
