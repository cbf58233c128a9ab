/** Moves Kobune's time forward as `kobune clock advance` does, and returns what it is then. */
export async function moveClock(
  { endpoint }: { readonly endpoint: string },
  advanceMs: number,
): Promise<{ readonly now: string }> {
  const answer = await fetch(`${endpoint}/_kobune/clock`, {
    method: 'POST',
    headers: { 'x-kobune-admin': '1', 'content-type': 'application/json' },
    body: JSON.stringify({ advanceMs }),
  });
  if (!answer.ok) throw new Error(`the clock did not move: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { now: string };
}
