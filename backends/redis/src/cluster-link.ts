/**
 * The link to a Redis Cluster: one connection to each primary, and a map of who has which slot.
 *
 * What it owns: the connections, the map, the requests that wait for a new map, and the timer of
 * their deadlines.
 * What may interrupt it: MOVED replies, connections that end, slots that go elsewhere, that timer.
 *
 * L1. Requests of one slot are sent in the order of their hand-over, over one connection.
 * L2. A slot that moved: nothing more is sent to the member that lost it until everything that was
 *     is answered or lost; then what was not done goes to the new owner, in order. A write is sent
 *     again only because a member said that it did nothing.
 * L3. While a primary is away, the others are asked who has its slots now.
 * L4. What waits for a new map ends by its own deadline, however long that takes.
 */

import type { Redis } from "ioredis";
import { backoffMs } from "@banyan/kernel";
import type { BanyanError, CancelTimer, Waiting } from "@banyan/kernel";
import { RedisConnection } from "./connection.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { connectionFailure, redisErrors } from "./errors.ts";
import { slotOf } from "./layout.ts";
import { driverOptions, examineServer, placeName } from "./link.ts";
import type { LinkParts, RedisLink } from "./link.ts";
import type { RedisPlace } from "./options.ts";
import { Request } from "./request.ts";
import type { RedisQuestion, RedisReply } from "./request.ts";
import { parseSlots } from "./slot-map.ts";
import type { SlotRange } from "./slot-map.ts";
import { untilConnected } from "./until-connected.ts";

const ATTEMPTS_MAX = 16; // as other clients of a Cluster do
const refresh = { initialMs: 50, maxMs: 1000 };

/** @throws what `untilConnected` does, when the Cluster is not there in time or is not fit */
export async function openClusterLink(parts: LinkParts): Promise<RedisLink> {
  const link = new ClusterLink(parts);
  try {
    await untilConnected(link, parts.options);
    return link;
  } catch (error) {
    link.abandon();
    throw error;
  }
}

class ClusterLink implements RedisLink {
  readonly isCluster = true;
  readonly scripts;
  onChange: () => void = () => undefined;
  readonly #parts: LinkParts;
  readonly #members = new Map<string, RedisConnection>();
  readonly #tags = new Map<string, number>();
  #ranges: readonly SlotRange[] = [];
  /** Not done, because the slot has moved. */
  #moved: Request[] = [];
  readonly #deadlines: DeadlineTimer;
  /** Members that said so, or lose slots by a newer map: held until the map is settled. */
  readonly #losing = new Set<RedisConnection>();
  #isRefreshing = false;
  #isClosed = false;
  #cancelRefresh: CancelTimer | undefined;
  #refusals = 0;
  #seq = 0;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.scripts = parts.scripts;
    this.#deadlines = new DeadlineTimer(parts.options.clock, (nowMs) => this.#expire(nowMs));
    for (const place of parts.options.places) this.#connect(place);
  }

  /** The map is known and every primary in it is connected. */
  get isReady(): boolean {
    return (
      this.#ranges.length > 0 &&
      this.#ranges.every(({ place }) => this.#members.get(placeName(place))?.isReady === true)
    );
  }

  isReadyFor(tag: string): boolean {
    return this.#ownerOf(tag)?.isReady === true;
  }

  get failure(): BanyanError {
    const down = Array.from(this.#members.values()).filter(({ isReady }) => !isReady);
    const final = down.find(({ failure }) => failure.kind === "failed_precondition");
    const names = this.#parts.options.places.map(placeName).join(", ");
    return (final ?? down[0])?.failure ?? connectionFailure(new Error("no slots"), names);
  }

  ask(question: RedisQuestion, waiting: Waiting = {}): Promise<RedisReply> {
    const { clock, commandTimeoutMs } = this.#parts.options;
    const deadlineMs = clock.monotonicMs() + commandTimeoutMs;
    const request = new Request(question, { seq: (this.#seq += 1), deadlineMs }, waiting);
    this.#dispatch(request);
    return request.promise;
  }

  async check(waiting?: Waiting): Promise<void> {
    if (!this.isReady) throw this.failure;
    const { clock, commandTimeoutMs } = this.#parts.options;
    const pings = Array.from(this.#members.values(), (member) => {
      const deadlineMs = clock.monotonicMs() + commandTimeoutMs;
      const question = { name: "ping", args: [], writes: false };
      const request = new Request(question, { seq: (this.#seq += 1), deadlineMs }, waiting ?? {});
      member.ask(request);
      return request.promise;
    });
    await Promise.all(pings);
  }

  clients(): readonly Redis[] {
    return Array.from(this.#members.values(), ({ redis }) => redis);
  }

  async close(): Promise<void> {
    const members = [...this.#members.values()];
    await Promise.all([
      ...members.map((member) => member.close()),
      Promise.allSettled(this.#moved.map(({ promise }) => promise)),
    ]);
    this.abandon();
  }

  abandon(): void {
    this.#isClosed = true;
    this.#cancelRefresh?.();
    this.#deadlines.cancel();
    for (const member of this.#members.values()) member.abandon();
    for (const request of this.#moved) request.fail(this.failure);
  }

  #dispatch(request: Request): void {
    const { tag = "" } = request.question;
    const owner = this.#ownerOf(tag);
    if (owner !== undefined) owner.ask(request);
    else {
      const slot = this.#slotOf(tag);
      request.fail(
        redisErrors.REDIS_UNREACHABLE(
          `No member of the Redis Cluster has slot ${slot} now; nothing was sent.`,
          { details: { slot } },
        ),
      );
      this.#refreshSoon();
    }
  }

  #ownerOf(tag: string): RedisConnection | undefined {
    const slot = this.#slotOf(tag);
    const range = this.#ranges.find(({ from, to }) => slot >= from && slot <= to);
    return range && this.#members.get(placeName(range.place));
  }

  #slotOf(tag: string): number {
    const slot = this.#tags.get(tag) ?? slotOf(tag);
    this.#tags.set(tag, slot); // as many as there are scopes
    return slot;
  }

  #connect(place: RedisPlace): RedisConnection {
    const name = placeName(place);
    const known = this.#members.get(name);
    if (known !== undefined) return known;
    const { options, scripts } = this.#parts;
    const member: RedisConnection = new RedisConnection({
      place: name,
      driver: driverOptions(place, options),
      options,
      scripts,
      examine: async (redis) => {
        const { evicts } = await examineServer(redis, name, true);
        if (evicts)
          options.log.warn("Redis drops entries when its memory is full", { place: name });
      },
      redirect: (request) => this.#setAside(request, member),
      changed: () => this.#hear(),
    });
    this.#members.set(name, member);
    member.open();
    return member;
  }

  #hear(): void {
    if (this.#isClosed) return;
    this.onChange();
    if (!this.isReady) this.#refreshSoon();
  }

  #setAside(request: Request, member: RedisConnection): void {
    request.isSent = false;
    this.#losing.add(member);
    if (request.attempts >= ATTEMPTS_MAX) {
      const text = "A slot of the Redis Cluster moves from member to member; nothing was done.";
      request.fail(redisErrors.REDIS_REFUSED(text));
      return;
    }
    this.#moved.push(request);
    this.#deadlines.arm(request.deadlineMs);
    void this.#refresh();
  }

  /** Ends what is overdue (L4), and says when to look again. */
  #expire(nowMs: number): number | undefined {
    this.#moved = this.#moved.filter(({ isSettled }) => !isSettled);
    for (const request of this.#moved.filter(({ deadlineMs }) => deadlineMs <= nowMs)) {
      const text = "A slot of the Redis Cluster moved, and where was not known in time.";
      request.fail(redisErrors.REDIS_UNREACHABLE(`${text} Nothing was done.`));
    }
    this.#moved = this.#moved.filter(({ isSettled }) => !isSettled);
    const nextMs = Math.min(...this.#moved.map(({ deadlineMs }) => deadlineMs));
    return nextMs === Infinity ? undefined : nextMs;
  }

  /** Asks again after a pause, as long as something is missing (L3). */
  #refreshSoon(): void {
    if (this.#isClosed || this.#cancelRefresh !== undefined) return;
    const { clock, random } = this.#parts.options;
    const delayMs = 10 + backoffMs((this.#refusals += 1), random, refresh);
    this.#cancelRefresh = clock.setTimer(delayMs, () => {
      this.#cancelRefresh = undefined;
      void this.#refresh();
    });
  }

  async #refresh(): Promise<void> {
    if (this.#isRefreshing || this.#isClosed) return;
    this.#isRefreshing = true;
    const ranges = await this.#findOwners();
    if (ranges !== undefined) this.#ranges = ranges;
    this.#isRefreshing = false;
    if (this.#isClosed) return;
    this.#settle(ranges !== undefined);
    this.onChange();
    if (this.isReady) this.#refusals = 0;
    else this.#refreshSoon();
  }

  /** Who has what, once nothing is on its way any more to those that lose something (L2). */
  async #findOwners(): Promise<readonly SlotRange[] | undefined> {
    const held = new Set<RedisConnection>();
    for (;;) {
      const losing = [...this.#losing].filter((member) => !held.has(member));
      for (const member of losing) held.add(member);
      await Promise.all(losing.map((member) => member.hold()));
      const ranges = await this.#askForSlots();
      for (const member of this.#losersBy(ranges ?? [])) this.#losing.add(member);
      if (this.#losing.size === held.size) return ranges;
    }
  }

  /** Those that have a slot in our map which is somebody else's in a newer one. */
  #losersBy(newer: readonly SlotRange[]): RedisConnection[] {
    const lost = this.#ranges.filter(({ from, to, place }) =>
      newer.some(
        (other) =>
          other.from <= to && other.to >= from && placeName(other.place) !== placeName(place),
      ),
    );
    return lost.flatMap(({ place }) => this.#members.get(placeName(place)) ?? []);
  }

  /** Connects to those that are new, leaves those that have no slots, and hands out what waits. */
  #settle(isKnown: boolean): void {
    this.#losing.clear();
    this.#expire(this.#parts.options.clock.monotonicMs());
    const waiting = this.#moved;
    this.#moved = [];
    const owners = new Set(this.#ranges.map(({ place }) => placeName(place)));
    if (isKnown) for (const { place } of this.#ranges) this.#connect(place);
    for (const [name, member] of this.#members) {
      waiting.push(...member.takeWaiting());
      if (!isKnown || owners.has(name)) continue;
      this.#members.delete(name);
      void member.close();
    }
    waiting.sort((a, b) => a.seq - b.seq);
    for (const request of waiting) this.#dispatch(request);
    for (const member of this.#members.values()) member.release();
  }

  async #askForSlots(): Promise<SlotRange[] | undefined> {
    const { clock, commandTimeoutMs } = this.#parts.options;
    // Who said that a slot moved knows where to, before the others do.
    const members = new Set([...this.#losing, ...this.#members.values()]);
    for (const member of [...members].filter(({ isReady }) => isReady)) {
      // A member that says nothing is hung up on by then.
      const asked = member.redis.cluster("SLOTS").catch(() => undefined);
      const answered = new AbortController();
      const late = clock.sleep(commandTimeoutMs, answered).catch(() => undefined);
      const ranges = parseSlots(await Promise.race([asked, late]), member.place);
      answered.abort();
      if (ranges !== undefined) return ranges;
    }
    return undefined;
  }
}
