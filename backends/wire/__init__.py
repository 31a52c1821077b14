"""From bytes to frames and from refusals to errors: what the network side is made of, each piece usable alone.

http                       the one seam to the network
sse  lines  eventstream    three ways to frame a stream
reading                    an answer over HTTP, whatever came instead of one
classify                   from a refusal to one of our errors
"""
