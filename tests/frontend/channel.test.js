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
  channel.request("set", { query: "rain" });
  channel.send("record", { key: "k", whole: false }, (message) => answers.push(message.kind));
  channel.send("hello", {});
  const greeting = channel.last;
  channel.request("set", { query: "rains" });
  const later = channel.last;
  assert.equal(channel.settle({ kind: "state", for: greeting, view: channel.view, state: { now: 0 } }), false);
  assert.deepEqual(sent.slice(5).map(({ id, ...message }) => message), [{ do: "set", query: "rain" }, { do: "record", key: "k", whole: false }]);
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
