# %%
model = LlamaCpp("tiny", parallel=2)
waited = [each.usage.raw["queue_seconds"] for each in await together(requests)]
print("waited:", sum(seconds > 0.001 for seconds in waited), "of", len(waited))
await model.aclose()

# %%
model = LlamaCpp("tiny", parallel=16, exact=False)
crowd = [each.text for each in await together(wild)]
print("not exact:", model.capabilities.batch_invariant)
print("answered:", len(crowd))
await model.aclose()
