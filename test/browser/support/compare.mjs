// Comparison of the events of the SDK with what REST answers.
import assert from "node:assert/strict";

/**
 * Asserts that the event has the fields wanted and no others. Of what REST does not show, a version must be a number and a
 * time of receipt be just now.
 */
export function assertEvent(event, want, what) {
  const { version, receivedOn, streamingMetadata: _, ...seen } = event; // previews of the SDK make the last up
  const { version: wantedVersion, receivedOn: notBefore, ...fields } = want;
  if (wantedVersion) {
    assert.equal(version, wantedVersion, `version of ${what}`);
  } else if (!fields.chatMessageId) {
    assert.match(version, /^\d+$/, `version of ${what}`);
  }
  if (notBefore) {
    const late = receivedOn - notBefore;
    assert.ok(late > -1_000 && late < 10_000, `receivedOn of ${what} is ${late} ms away`);
  }
  assert.deepEqual(normal(alike(seen, fields)), normal(fields), what);
}

/** The event with its participants as those wanted are: in their order, and with the fields that are wanted of them. */
function alike(seen, fields) {
  const copy = { ...seen };
  for (const [key, want] of Object.entries(fields)) {
    if (key === "properties" || key.endsWith("By")) {
      copy[key] = alikeOne(seen[key], want); // old versions pass on properties that they do not know
    } else if (key.startsWith("participants")) {
      const place = ({ id }) => want.findIndex((other) => other.id.communicationUserId === id.communicationUserId);
      copy[key] = seen[key].toSorted((a, b) => place(a) - place(b)).map((participant, i) => alikeOne(participant, want[i]));
    }
  }
  return copy;
}

function alikeOne(seen, want = seen) {
  return Object.fromEntries(Object.keys(want).map((key) => [key, seen?.[key]]));
}

/** The value without what is undefined, and with times as seconds, which is how REST shows most of them. */
function normal(value) {
  if (value instanceof Date) {
    return Math.floor(value.getTime() / 1000);
  }
  if (Array.isArray(value)) {
    return value.map(normal);
  }
  if (value && typeof value === "object") {
    const defined = Object.entries(value).filter(([, item]) => item !== undefined);
    return Object.fromEntries(defined.map(([key, item]) => [key, normal(item)]));
  }
  return value;
}
