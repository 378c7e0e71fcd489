// Bounded polling: the only way in which these tests wait.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const every = 25;

/** Calls probe until it returns something true, and returns that. Fails after the time with what probe saw last. */
export async function eventually(what, probe, { within = 30_000, describe } = {}) {
  const end = Date.now() + within;
  for (;;) {
    const result = await probe();
    if (result) {
      return result;
    }
    if (Date.now() > end) {
      const seen = describe ? `: ${await describe()}` : "";
      assert.fail(`not within ${within / 1000} s: ${what}${seen}`);
    }
    await pause(every);
  }
}

/** Fails if probe returns something true before the time is over. */
export async function never(what, probe, { within = 2_000 } = {}) {
  const end = Date.now() + within;
  while (Date.now() < end) {
    assert.ok(!(await probe()), what);
    await pause(every);
  }
}
