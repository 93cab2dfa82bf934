/**
 * One connection to one server: what is asked in one turn goes out together, in order.
 *
 * What it owns: one ioredis client (its socket, its reconnecting), the requests it was asked.
 * What may interrupt it: replies, the end of the socket, deadlines, callers' signals.
 *
 * C1. Requests are sent in the order of their hand-over, and Redis answers in that order.
 * C2. A request that was sent and has no reply when the socket ends is lost, never sent again (R2).
 * C3. A write that the server did not do, because it did not know the script, is sent again only
 *     where no later write was done meanwhile; otherwise it fails by name. It is sent with the
 *     script's text then, so that a server that forgets again and again still does it.
 * C4. A server that says nothing for as long as a request may take is hung up on.
 * C5. Nothing is sent before the scripts are known to the server.
 */

import type { Redis, RedisOptions as DriverOptions } from "ioredis";
import { isBanyanError } from "@banyan/kernel";
import type { BanyanError, CancelTimer } from "@banyan/kernel";
import { createDriver, isEcho } from "./driver.ts";
import { DriverCommand } from "./driver-command.ts";
import type { CommandSink } from "./driver-command.ts";
import {
  connectionFailure,
  isFinal,
  replyFailure,
  saysNothingDone,
  unknownOutcome,
} from "./errors.ts";
import type { StoreKeys } from "./layout.ts";
import type { ResolvedRedisOptions } from "./options.ts";
import { RequestLanes } from "./request-lanes.ts";
import { joinedQuestion, withText } from "./request.ts";
import type { RedisReply, Request } from "./request.ts";
import type { RedisScript, RedisScripts } from "./scripts.ts";

export interface ConnectionParts {
  /** For messages: `127.0.0.1:6379`. */
  readonly place: string;
  readonly driver: DriverOptions;
  readonly options: ResolvedRedisOptions;
  readonly scripts: RedisScripts;
  /** Looks at a server that was just connected to, and rejects what is not fit. */
  readonly examine: (redis: Redis) => Promise<void>;
  /** Takes what another member of the Cluster has to be asked; left out: there is none. */
  readonly redirect?: (request: Request) => void;
  /** Something changed: it is connected, or no longer. */
  readonly changed: () => void;
}

/** `down`: no connection. `preparing`: scripts are sent, nothing else is. `ready`. `closed`. */
type State = "down" | "preparing" | "ready" | "closed";

const WRITTEN_AT_ONCE = 1 << 20; // characters joined before they are given to the socket

export class RedisConnection {
  readonly redis: Redis;
  readonly place: string;
  readonly #parts: ConnectionParts;
  readonly #lanes: RequestLanes;
  #state: State = "down";
  #isFlushing = false;
  #isHeld = false;
  #failure: BanyanError | undefined;
  #cancelWatch: CancelTimer | undefined;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.place = parts.place;
    this.#lanes = new RequestLanes({
      place: parts.place,
      options: parts.options,
      failure: () => this.failure,
      fallSilent: () => this.#hangUp(),
    });
    this.redis = createDriver(parts.driver, parts.options);
    this.redis.on("connect", () => this.#watch());
    this.redis.on("ready", () => void this.#prepare());
    this.redis.on("close", () => this.#goDown());
    this.redis.on("error", (error: unknown) => this.#note(error));
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** Why it is not connected, as far as is known. */
  get failure(): BanyanError {
    return this.#failure ?? connectionFailure(undefined, this.place);
  }

  open(): void {
    // How it goes is told by events; trying again is the driver's.
    this.redis.connect().catch(ignore);
  }

  ask(request: Request): void {
    this.#lanes.add(request);
    // The server works while the rest of the turn is asked.
    if (this.#lanes.isManyWaiting) this.#flush();
    else this.#flushSoon();
  }

  /** What is not sent yet, to be asked elsewhere. */
  takeWaiting(): Request[] {
    return this.#lanes.takeWaiting();
  }

  /** Waits for what was asked, each within its deadline, then lets go. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#lanes.open.map(({ promise }) => promise));
    this.abandon();
  }

  /** Sends nothing, until `release`; resolves when everything that was sent is answered or lost. */
  async hold(): Promise<void> {
    this.#isHeld = true;
    if (this.#state !== "down" && !this.#lanes.isQuiet) await this.redis.ping().catch(ignore);
  }

  release(): void {
    this.#isHeld = false;
    this.#flushSoon();
  }

  /** Lets go at once. */
  abandon(): void {
    this.#goDown();
    this.#state = "closed";
    this.#lanes.stop();
    this.redis.disconnect();
    for (const request of this.takeWaiting()) request.fail(this.failure);
  }

  readonly #flushAtTurnEnd = (): void => {
    this.#isFlushing = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#state !== "ready" || this.#isHeld || !this.redis.stream.writable) return;
    let text = "";
    const sink = {
      write: (part: string): void => {
        text += part;
        if (text.length < WRITTEN_AT_ONCE) return;
        this.redis.stream.write(text);
        text = "";
      },
    };
    for (let next = this.#lanes.send(); next !== undefined; next = this.#lanes.send()) {
      const { plain } = next.question;
      const others = plain === undefined ? [] : this.#lanes.sendWith(plain);
      if (plain === undefined || others.length === 0) this.#send(next, sink);
      else this.#sendJoined(plain.store, [next, ...others], sink);
    }
    if (text !== "") this.redis.stream.write(text);
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#state !== "ready" || !this.#lanes.hasWaiting) return;
    this.#isFlushing = true;
    setImmediate(this.#flushAtTurnEnd);
  }

  #send(request: Request, sink: CommandSink): void {
    const { question, attempts } = request;
    const asked = attempts > 1 ? withText(question) : question;
    const command = new DriverCommand(asked, (reply, error) => {
      if (error === undefined) this.#hear(request, reply);
      else this.#hearFailure(request, error);
      if (this.#lanes.hasUndone) this.#renew();
    });
    command.send(this.redis, sink);
  }

  /** Writes that leave as one call end as each would have alone. */
  #sendJoined(store: StoreKeys, requests: readonly Request[], sink: CommandSink): void {
    const writes = requests.flatMap(({ question: { plain } }) => plain ?? []);
    const question = joinedQuestion(this.#parts.scripts, store, writes);
    const isAgain = requests.some(({ attempts }) => attempts > 1);
    const asked = isAgain ? withText(question) : question;
    const command = new DriverCommand(asked, (reply, error) => {
      for (const [index, request] of requests.entries()) {
        if (error === undefined) this.#hear(request, replyAt(reply, index));
        else this.#hearFailure(request, error);
      }
      if (this.#lanes.hasUndone) this.#renew();
    });
    command.send(this.redis, sink);
  }

  #hear(request: Request, reply: RedisReply): void {
    if (!this.#lanes.land(request)) return;
    this.#lanes.noteDone(request);
    request.answer(reply);
  }

  #hearFailure(request: Request, error: unknown): void {
    if (!this.#lanes.land(request)) return;
    const said = error instanceof Error ? error.message : "";
    if (said.startsWith("NOSCRIPT")) this.#setAside(request);
    else if (said.startsWith("MOVED") && this.#parts.redirect !== undefined) {
      this.#parts.redirect(request);
    } else {
      const failure = replyFailure(error, this.place);
      const isOpen = request.question.writes && !saysNothingDone(said);
      request.fail(isOpen ? unknownOutcome(failure) : failure);
      // Who became a replica will not be a primary again by itself: look who is there now.
      if (said.startsWith("READONLY")) this.redis.disconnect(true);
    }
  }

  #setAside(request: Request): void {
    this.#lanes.setAside(request);
    if (this.#state === "ready") this.#state = "preparing"; // nothing more goes out (C3)
  }

  /** Once everything that was sent is answered: the scripts anew, then what was not done. */
  #renew(): void {
    if (!this.#lanes.isQuiet || this.#state !== "preparing") return;
    this.#lanes.takeBack();
    this.#watch(); // nothing is under way whose silence would be noticed
    void this.#prepare();
  }

  async #prepare(): Promise<void> {
    this.#state = "preparing";
    const { scripts, examine, options, changed } = this.#parts;
    const { stream } = this.redis;
    try {
      await examine(this.redis);
      await Promise.all(
        Object.values(scripts).map(({ text }: RedisScript) => this.redis.script("LOAD", text)),
      );
    } catch (error) {
      if (this.redis.stream !== stream) return; // it ended meanwhile, and another is on its way
      this.#note(isBanyanError(error) ? error : replyFailure(error, this.place));
      this.redis.disconnect(true);
      return;
    }
    // A socket that ended meanwhile has taken the state with it.
    if (this.redis.stream !== stream || this.#state !== "preparing") return;
    this.#cancelWatch?.();
    if (this.#failure !== undefined) options.log.info("connected to Redis", { place: this.place });
    this.#failure = undefined;
    this.#state = "ready";
    this.#flushSoon();
    changed();
  }

  #goDown(): void {
    this.#cancelWatch?.();
    if (this.#state === "closed") return;
    this.#state = "down";
    this.#lanes.loseSent(this.failure);
    this.#parts.changed();
  }

  /** Keeps the reason, and tells the log when it is a new one. */
  #note(error: unknown): void {
    if (this.#failure !== undefined && isEcho(error)) return;
    const failure = connectionFailure(error, this.place);
    if (this.#failure?.message !== failure.message && this.#state !== "closed") {
      const fields = { place: this.place, reason: failure.code, error: failure };
      this.#parts.options.log.warn("no connection to Redis", fields);
    }
    this.#failure = failure;
    if (isFinal(failure)) this.#parts.changed();
  }

  /** A server that accepts and then says nothing is hung up on as well. */
  #watch(): void {
    const { clock, commandTimeoutMs } = this.#parts.options;
    this.#cancelWatch?.();
    this.#cancelWatch = clock.setTimer(commandTimeoutMs, () => {
      if (this.#state !== "ready") this.#hangUp();
    });
  }

  /** At once: who says nothing does not say goodbye either. The driver connects anew. */
  #hangUp(): void {
    this.redis.stream.destroy();
  }
}

/** Of several that left as one call: its own reply, or the one for all. */
function replyAt(reply: RedisReply, index: number): RedisReply {
  return typeof reply === "object" && reply !== null ? (reply[index] ?? null) : reply;
}

function ignore(): void {}
