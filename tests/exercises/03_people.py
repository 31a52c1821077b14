# %%
import anyio


@dag
def refund_soon(order: int) -> str:
    amount = price(order)
    return letter(amount, first(approve(order, amount), sleep(Decision(approved=False, reason="nobody looked"), 2)))


rt = await Runtime("exercise.db")
alone, answered_at_once = await rt.start(refund_soon, order=8), await rt.start(refund_soon, order=9)
while all(info.id != answered_at_once.id for info, _ in await rt.inbox()):
    await anyio.sleep(0.02)
await rt.answer(answered_at_once, "approve", Decision(approved=True))
print("at once:", await answered_at_once.result(wait=True))
print("alone:", await alone.result(wait=True))
print("inbox:", await rt.inbox())
print("approve:", (await alone.steps())["approve"]["status"])
await rt.aclose()
