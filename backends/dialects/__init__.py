"""The wire formats, each a pure pair: a request to bytes, bytes to events.

dialect  answering         the seam: what a dialect is, and how it tells what it understood
history  values            a conversation made fit for the next provider; single values taken with care
openai_chat  openai_responses  anthropic  gemini  cohere  bedrock  ollama_native  tgi_native
profiles                   how the servers that speak the OpenAI chat dialect differ, as data
"""
