# %%
from graphrt.errors import RunFailed

async with Runtime("models.db", models={"fast": 'scripted:{"route": "lawyers"}'}) as rt:
    wrong = await rt.start(triage, letter=letter)
    try:
        await wrong
    except RunFailed as error:
        print("lawyers:", error)
async with Runtime("models.db", models={"fast": "llama_cpp:tiny"}) as rt:
    print("again:", *(await rt.prospect(wrong.id, triage)).again)
    print("mended:", await (await rt.resume(wrong.id, triage)))
