// The messages of one view: message numbers, pending answers, and messages to send again.

/** @import { KernelMessage, Model, OnReply, Requests, Verb } from "./types.js" */

/** Each view numbers its messages from its own multiple of this, so the kernel can distinguish the views. */
const IDS_OF_A_VIEW = 1_000_000;

/** Verbs that the kernel does not answer. */
const UNANSWERED = new Set(["cancel", "bye", "see", "here"]);

/** A view answers one of so many signs of life of the kernel, so that a resting view costs next to nothing. */
const SIGNS_AN_ANSWER = 4;

/** A view's connection to the kernel. */
export class Channel {
  /**
   * @param {Model} model
   * @param {(message: KernelMessage) => void} receive called with each message of the kernel
   * @param {() => void} fail called when a message cannot be sent
   */
  constructor(model, receive, fail) {
    /** The number of this view, by which the kernel knows it. */
    this.view = Math.floor(Math.random() * IDS_OF_A_VIEW) + 1;
    this.model = model;
    this.fail = fail;
    /** @type {(message: KernelMessage) => void} */
    this.listener = (message) => receive(message);
    /** @type {Map<number, { resend: () => number | null, onReply: OnReply | null, isGreeting: boolean }>} */
    this.unanswered = new Map();
    /** How many messages the kernel has sent to this view, by the last of them; null before the first whole state. @type {number | null} */
    this.heard = null;
    /** How many signs of life have come since this view last sent one of its own. */
    this.signs = 0;
    this.last = this.view * IDS_OF_A_VIEW;
    /** @type {number | null} The number of the last request whose answer the user waits for. */
    this.awaited = null;
    model.on("msg:custom", this.listener);
  }

  /**
   * Sends a message.
   *
   * @template {Verb} V
   * @param {V} verb
   * @param {Requests[V]} content
   * @param {OnReply | null} [onReply] called with the answer
   * @param {number | null} [again] the number under which the message was sent first
   * @returns {number} the message's number
   */
  send(verb, content, onReply = null, again = null) {
    this.last += 1;
    const id = this.last;
    if (!UNANSWERED.has(verb)) {
      const isGreeting = verb === "hello";
      const resend = () => (isGreeting ? null : this.send(verb, content, onReply, again ?? id));
      this.unanswered.set(id, { resend, onReply, isGreeting });
    }
    try {
      this.model.send({ id, do: verb, ...(again === null ? {} : { again }), ...content });
    } catch {
      this.fail();
    }
    return id;
  }

  /**
   * Sends a message whose answer the user waits for.
   *
   * @template {Verb} V
   * @param {V} verb
   * @param {Requests[V]} content
   */
  request(verb, content) {
    this.awaited = this.send(verb, content);
  }

  /**
   * Calls the function that waits for an answer.
   *
   * @param {KernelMessage} message
   * @returns {boolean} whether the user has no answer left to wait for
   */
  settle(message) {
    const number = message.for ?? null;
    if (number === null) return false;
    const request = this.unanswered.get(number);
    this.unanswered.delete(number);
    request?.onReply?.(message);
    const resent = request?.isGreeting ? this.#resendBefore(number) : null;
    if (resent !== null) {
      this.awaited = resent;
      return false;
    }
    return this.isOurs(number) && (this.awaited === null || number >= this.awaited);
  }

  /**
   * Whether messages to this view have been lost before this one. A Jupyter server discards messages while a cell
   * prints much. After a whole state, nothing is missing.
   *
   * @param {KernelMessage} message
   */
  misses(message) {
    if (message.kind === "alive") return this.heard !== null && (message.sent[this.view] ?? 0) > this.heard;
    if (!("number" in message) || message.view !== this.view || message.number === undefined) return false;
    const isWhole = message.kind === "state" && message.whole === true;
    if (!isWhole && this.heard === null) return message.kind === "state";
    const isNext = isWhole || message.number <= (this.heard ?? 0) + 1;
    if (isNext) this.heard = message.number;
    return !isNext;
  }

  /** Answers a sign of life now and then. A page that crashes, or loses its connection, says no farewell. */
  answerSign() {
    this.signs += 1;
    if (this.signs < SIGNS_AN_ANSWER) return;
    this.signs = 0;
    this.send("here", {});
  }

  /** Records that the user no longer waits for an answer. */
  stopWaiting() {
    this.awaited = null;
  }

  /**
   * Sends the messages again that precede a greeting and are still unanswered when the greeting is answered. Either
   * they are delayed, usually until a running cell ends, and the kernel ignores messages that arrive that late; or
   * their answers were lost, and the kernel knows by the number that it has done what they ask for.
   *
   * @param {number} greeting the number of the greeting
   * @returns {number | null} the new number of the last message that was sent again
   */
  #resendBefore(greeting) {
    let last = null;
    for (const [id, { resend }] of [...this.unanswered]) {
      if (id > greeting) continue;
      this.unanswered.delete(id);
      last = resend() ?? last;
    }
    return last;
  }

  /**
   * Whether a message of this view has the number.
   *
   * @param {number | null | undefined} number
   */
  isOurs(number) {
    const base = this.view * IDS_OF_A_VIEW;
    return typeof number === "number" && number > base && number < base + IDS_OF_A_VIEW;
  }

  close() {
    this.send("bye", {});
    this.model.off("msg:custom", this.listener);
  }
}
