# %%
Path("almanac.txt").unlink()


@node
def count(text: str) -> int:
    return len(text.split())


@dag
def report(topic: str) -> tuple[str, int]:
    text = outline(topic)
    return text, count(text)


report

# %%
rt = await Runtime("exercise.db", models={"fast": Scripted([questions, questions])})
Path("almanac.txt").write_text("Twice a day.", encoding="utf-8")
print("counted:", (await rt.run(report, topic="Tides"))[1])
Path("almanac.txt").unlink()
failing = await rt.start(report, topic="Tides")
try:
    await failing
except RunFailed:
    prospect = await rt.prospect(failing.id, report)
    steps = await failing.steps()
    print("again:", *prospect.again, "/ begun:", *steps)
await rt.aclose()
