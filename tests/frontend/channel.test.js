import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel } from "../../tta_memory_nb/notebook/explorer/frontend/channel.js";

/** A channel to a kernel that records the messages it receives. */
function open({ isBroken = false } = {}) {
  const [sent, received, listeners] = [[], [], new Set()];
  let failures = 0;
  const model = {
    send(message) {
      if (isBroken) throw new Error("no connection");
      sent.push(message);
    },
    on: (_event, listener) => listeners.add(listener),
    off: (_event, listener) => listeners.delete(listener),
  };
  const channel = new Channel(model, (message) => received.push(message), () => (failures += 1));
  return { channel, sent, received, listeners, failures: () => failures };
}

test("messages are numbered within the numbers of their view", () => {
  const { channel, sent } = open();
  channel.send("hello", {});
  channel.send("record", { key: "ann:mon", whole: false });
  const base = channel.view * 1_000_000;
  assert.ok(channel.view >= 1 && channel.view <= 1_000_000);
  assert.deepEqual(sent, [{ id: base + 1, do: "hello" }, { id: base + 2, do: "record", key: "ann:mon", whole: false }]);
  assert.ok(channel.isOurs(base + 2));
  for (const number of [base, base + 1_000_000, null, undefined]) assert.equal(channel.isOurs(number), false);
});

test("messages of the kernel are received until the channel is closed", () => {
  const { channel, sent, received, listeners } = open();
  listeners.forEach((listener) => listener({ kind: "alive" }));
  assert.deepEqual(received, [{ kind: "alive" }]);
  channel.close();
  assert.equal(sent.at(-1).do, "bye");
  assert.equal(listeners.size, 0);
});

test("one sign of life of the kernel in four is answered", () => {
  const { channel, sent } = open();
  for (let signs = 0; signs < 9; signs += 1) channel.answerSign();
  assert.deepEqual(sent.map((message) => message.do), ["here", "here"]);
  assert.equal(channel.unanswered.size, 0);
});

test("an answer goes to the function that waits for it, once", () => {
  const { channel } = open();
  const answers = [];
  const id = channel.send("facets", {}, (message) => answers.push(message));
  channel.settle({ kind: "error", for: id + 5, message: "another" });
  channel.settle({ kind: "error", for: id, message: "this one" });
  channel.settle({ kind: "error", for: id, message: "again" });
  assert.deepEqual(answers.map(({ message }) => message), ["this one"]);
});

test("only the answer to the last request ends the waiting", () => {
  const { channel } = open();
  channel.request("set", { query: "r" });
  const first = channel.last;
  channel.request("set", { query: "ra" });
  assert.equal(channel.settle({ kind: "dropped", for: first }), false);
  assert.equal(channel.settle({ kind: "alive" }), false);
  assert.equal(channel.settle({ kind: "state", for: null, view: 1, state: { now: 0 } }), false);
  assert.equal(channel.settle({ kind: "state", for: channel.last, view: 1, state: { now: 0 } }), true);
});

test("an answer to another view settles no request of this one", () => {
  const { channel } = open();
  channel.request("set", { query: "r" });
  assert.equal(channel.settle({ kind: "state", for: (channel.view + 1) * 1_000_000 + 1, view: channel.view + 1, state: { now: 0 } }), false);
  assert.equal(channel.settle({ kind: "state", for: channel.view * 1_000_000 - 1, view: channel.view - 1, state: { now: 0 } }), false);
});

test("unanswered messages from before a greeting are sent again, in their order", () => {
  const { channel, sent } = open();
  const answers = [];
  channel.send("hello", {});
  const first = channel.last + 1;
  channel.request("set", { query: "rain" });
  channel.send("record", { key: "k", whole: false }, (message) => answers.push(message.kind));
  channel.send("hello", {});
  const greeting = channel.last;
  channel.request("set", { query: "rains" });
  const later = channel.last;
  assert.equal(channel.settle({ kind: "state", for: greeting, view: channel.view, state: { now: 0 } }), false);
  assert.deepEqual(sent.slice(5).map(({ id, ...message }) => message), [
    { do: "set", again: first, query: "rain" }, { do: "record", again: first + 1, key: "k", whole: false },
  ]);
  assert.deepEqual(sent.slice(5).map(({ id }) => id), [later + 1, later + 2]);
  channel.settle({ kind: "record", for: later + 2, key: "k", gone: true });
  assert.deepEqual(answers, ["record"]);
  assert.equal(channel.awaited, later + 2);
});

test("neither greetings nor messages without an answer are sent again", () => {
  const { channel, sent } = open();
  channel.send("hello", {});
  channel.send("cancel", {});
  channel.send("hello", {});
  assert.equal(channel.settle({ kind: "state", for: channel.last, view: channel.view, state: { now: 0 } }), true);
  assert.equal(sent.length, 3);
});

test("a message that cannot be sent is a failure, and keeps its number", () => {
  const { channel, failures } = open({ isBroken: true });
  const id = channel.send("undo", {});
  assert.equal(failures(), 1);
  assert.equal(channel.send("undo", {}), id + 1);
});

test("a message that is sent again and again names the number under which it was sent first", () => {
  const { channel, sent } = open();
  const first = channel.send("undo", {});
  for (let times = 0; times < 3; times += 1) {
    const greeting = channel.send("hello", {});
    channel.settle({ kind: "state", for: greeting, view: channel.view, state: { now: 0 } });
  }
  assert.deepEqual(sent.filter((message) => message.do === "undo").map(({ again }) => again), [undefined, first, first, first]);
});

/** The messages of a kernel to a view, numbered from 1. */
function numbered(channel) {
  let number = 0;
  return (content = {}) => ({ kind: "state", for: null, view: channel.view, number: (number += 1), state: { now: 0 }, ...content });
}

test("a message that was lost is missed as soon as the next one comes, until the whole state has come", () => {
  const { channel } = open();
  const next = numbered(channel);
  assert.equal(channel.misses(next({ whole: true })), false);
  assert.equal(channel.misses(next()), false);
  next();
  assert.equal(channel.misses(next()), true);
  assert.equal(channel.misses(next({ kind: "record", key: "k", gone: true })), true);
  assert.equal(channel.misses(next({ whole: true })), false);
  assert.equal(channel.misses(next()), false);
});

test("a sign of life tells that the last message was lost, also an answer", () => {
  const { channel } = open();
  const next = numbered(channel);
  const alive = (sent) => ({ kind: "alive", sent: { [channel.view]: sent, [channel.view + 1]: 99 } });
  assert.equal(channel.misses(alive(0)), false);
  channel.misses(next({ whole: true }));
  assert.equal(channel.misses(alive(1)), false);
  const lost = next({ kind: "edited", ok: true });
  assert.equal(channel.misses(alive(lost.number)), true);
  assert.equal(channel.misses(alive(lost.number)), true);
  assert.equal(channel.misses(next({ whole: true })), false);
  assert.equal(channel.misses(alive(lost.number + 1)), false);
  assert.equal(channel.misses({ kind: "alive", sent: {} }), false);
});

test("messages to other views and to all views are not missed", () => {
  const { channel } = open();
  const next = numbered(channel);
  channel.misses(next({ whole: true }));
  assert.equal(channel.misses({ kind: "state", for: null, view: channel.view + 1, number: 7, state: { now: 0 } }), false);
  assert.equal(channel.misses({ kind: "said", text: "Saved", undo: false }), false);
  assert.equal(channel.misses({ kind: "error", for: null, message: "no" }), false);
  assert.equal(channel.misses(next()), false);
});

test("changes without the whole state that they are changes of are missed", () => {
  const { channel } = open();
  const next = numbered(channel);
  assert.equal(channel.misses(next({ kind: "error", message: "no" })), false);
  assert.equal(channel.misses(next()), true);
  assert.equal(channel.misses(next({ whole: true })), false);
});
