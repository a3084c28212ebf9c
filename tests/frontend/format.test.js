import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, axisTime, bytes, count, duration, iso, plural, shortKey, timeLeft, timeOfDay, timeToLive } from "../../tta_memory_nb/notebook/explorer/frontend/format.js";

const HOUR = 3600;
const DAY = 24 * HOUR;

test("UUIDs in a key are cut, and nothing else is", () => {
  assert.equal(shortKey("842E34da-02f5-4904-a111-0123456789ab:831c6aab-9bb7-4a6a-8996-f821d5ffe30a:0299df46"), "842E34…:831c6a…:0299df46");
  assert.equal(shortKey("ann:2026-11-30:00000001"), "ann:2026-11-30:00000001");
});

test("numbers have thousands separators and their nouns agree with them", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.deepEqual([0, 1, 2, 5000].map((number) => plural(number, "record")), ["0 records", "1 record", "2 records", "5,000 records"]);
});

test("times are shown in UTC, to the second", () => {
  assert.equal(iso(0), "1970-01-01 00:00:00Z");
  assert.equal(iso(1_764_478_560.75), "2025-11-30 04:56:00Z");
  assert.equal(timeOfDay(1_764_478_560), "04:56:00");
});

test("a time that no date can hold is shown as its number", () => {
  assert.equal(iso(1e300), "1e+300");
});

test("a length of time has its two largest units, without a gap between them", () => {
  assert.equal(duration(0), "0 s");
  assert.equal(duration(59.9), "59 s");
  assert.equal(duration(90), "1 min 30 s");
  assert.equal(duration(HOUR), "1 h");
  assert.equal(duration(HOUR + 5), "1 h");
  assert.equal(duration(2 * DAY + 3 * HOUR + 59), "2 d 3 h");
  assert.equal(duration(400 * DAY), "1 y 35 d");
  assert.equal(duration(400 * DAY, 1), "1 y");
  assert.equal(duration(-90), "1 min 30 s");
});

test("times are shown relative to now", () => {
  assert.deepEqual([0, 4.9, 5, 3 * DAY, -90].map(ago), ["just now", "just now", "5 s ago", "3 d ago", "in 1 min"]);
  assert.deepEqual([90, 0, -1].map(timeLeft), ["in 1 min 30 s", "expired", "expired"]);
  assert.deepEqual([null, 0, 90].map(timeToLive), ["longer", "0", "1 min"]);
});

test("sizes have at most two digits and a fraction", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 10_240, 1_048_576, 50_000_000].map(bytes), ["0 B", "1023 B", "1.0 KB", "1.5 KB", "10 KB", "1.0 MB", "48 MB"]);
});

test("a longer axis has coarser labels", () => {
  const at = 1_764_478_560.25;
  assert.equal(axisTime(1)(at), "04:56:00.250");
  assert.equal(axisTime(60)(at), "04:56:00");
  assert.equal(axisTime(DAY)(at), "11-30 04:56");
  assert.equal(axisTime(30 * DAY)(at), "2025-11-30");
});
