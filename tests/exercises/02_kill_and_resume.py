# %%
source = Path("parcels.py").read_text().replace("weighed.txt", "weighed2.txt").replace("shipped.txt", "shipped2.txt")
check = """
def was_shipped(weights: list[int]) -> str:
    if f"{sum(weights)}" in open("shipped2.txt").read().split():
        return "confirmed"
    raise NotDone("the carrier knows nothing of it")


@node(effect="once", check=was_shipped)"""
source = source.replace('\n@node(effect="once")', check).replace("import dag", "import NotDone, dag")
Path("checked.py").write_text(source, encoding="utf-8")
line = [sys.executable, "-m", "graphrt", "run", "checked.py:parcels", "--names", names, "--run-id", "checked"]
worker = subprocess.Popen([*line, "--store", "checked.db"])
while not Path("shipped2.txt").exists():
    time.sleep(0.02)
worker.kill()
worker.wait()

# %%
import checked

rt = await Runtime("checked.db")
print("checked:", await (await rt.resume("checked", checked.parcels)))
print("shipped:", len(Path("shipped2.txt").read_text().split()), "time only")
await rt.aclose()
