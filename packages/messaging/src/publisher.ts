/**
 * A contract's events on their way out: checked against their schema, given an id, a time, a
 * source, a trace and a principal, and handed to the bus.
 *
 * Wire form: topic `<service>.<event>`; the body is the payload's own fields with `eventId` and
 * `timestamp` beside them; the headers carry the rest.
 */

import { systemClock, systemIds } from "@banyan/kernel";
import type {
  AnyContract,
  Clock,
  EventsOf,
  IdSource,
  Published,
  PublishOptions,
  StagedPublishOptions,
  TraceContext,
} from "@banyan/kernel";
import {
  Codec,
  currentCallContext,
  eventSpecOf,
  kernelErrors,
  nearest,
  principalKey,
} from "@banyan/kernel/internal";
import { formatTraceparent } from "@banyan/telemetry";
import type { OperationObserver } from "@banyan/telemetry/internal";
import type { Bus, BusPublishOptions, MessageHeaders, OutgoingMessage } from "./bus.ts";
import { busOf } from "./event-buses.ts";
import type { EventBuses } from "./event-buses.ts";
import { checkedHeaders } from "./event-headers.ts";
import { delayMaxMs } from "./options.ts";

export interface PublisherOptions {
  readonly clock?: Clock | undefined;
  readonly ids?: IdSource | undefined;
  /** Told of every publish, by topic. Left out: nothing is watched, and nothing is paid for it. */
  readonly observer?: OperationObserver | undefined;
}

/** What a service is handed as `publish`, typed by its contract. */
export interface Publisher<C extends AnyContract> {
  /**
   * Resolves when the event is as safe as the bus's durability says.
   * @throws EVENT_INVALID, and what `Bus.publish` throws
   */
  publish<E extends keyof EventsOf<C> & string>(
    event: E,
    payload: EventsOf<C>[E],
    options?: PublishOptions,
  ): Promise<Published>;
  /**
   * Checks an event and makes its message, for whoever hands it to the bus later: a transaction.
   * @throws EVENT_INVALID, also for `mode` and `mandatory`: those are asked of a bus
   */
  prepare<E extends keyof EventsOf<C> & string>(
    event: E,
    payload: EventsOf<C>[E],
    options?: StagedPublishOptions,
  ): PreparedEvent;
}

/** An event that is checked and not published yet. */
export interface PreparedEvent {
  /** Its body is the bus's to keep. */
  readonly message: OutgoingMessage;
  readonly published: Published;
}

interface Outlet {
  readonly topic: string;
  readonly bus: Bus;
  readonly codec: Codec;
  /** Pointer to the field whose value keeps events in order. */
  readonly orderedBy: string | undefined;
  /** What every message outside a call carries: made once. */
  readonly headers: MessageHeaders;
}

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Makes the publisher of one contract's events. Each goes to the bus that its durability chooses;
 * given one bus, all go there.
 * @throws CONTRACT_INVALID when an event's payload has a field of ours
 */
export function createPublisher<C extends AnyContract>(
  contract: C,
  bus: Bus | EventBuses,
  options: PublisherOptions = {},
): Publisher<C> {
  const { clock = systemClock, ids = systemIds, observer } = options;
  const outlets = outletsOf(contract, bus);
  const isoOf = createIsoCache();

  const outletOf = (event: string): Outlet => found(outlets.get(event), contract, event);
  const prepare = (
    outlet: Outlet,
    payload: unknown,
    given: PublishOptions & { readonly trace?: TraceContext | undefined },
  ): PreparedEvent => {
    const { topic } = outlet;
    const { eventId, delayMs = 0, expiresAtMs, priority } = given;
    const body = outlet.codec.parse(payload, "tolerant");
    if (!isFields(body)) throw notFields(topic);
    const id = eventId === undefined ? ids.uuid() : checkedId(eventId, topic);
    const timestampMs = Math.floor(clock.nowMs());
    const timestamp = isoOf(timestampMs);
    const orderingKey = orderingKeyOf(body, outlet.orderedBy);
    // The codec just made this object for us alone, so it may be added to and given away.
    body["eventId"] = id;
    body["timestamp"] = timestamp;
    const deliverAtMs = delayMs === 0 ? undefined : timestampMs + checkedDelay(delayMs, topic);
    const headers = headersOf(outlet, given);
    return {
      message: {
        id,
        topic,
        timestampMs,
        body,
        headers,
        orderingKey,
        deliverAtMs,
        expiresAtMs,
        priority,
      },
      published: { eventId: id, timestamp },
    };
  };

  return {
    prepare(event, payload, given = {}) {
      const outlet = outletOf(event);
      assertForCommit(outlet.topic, given);
      return prepare(outlet, payload, given);
    },
    async publish(event, payload, given = {}) {
      const outlet = outletOf(event);
      if (observer === undefined) {
        const { message, published } = prepare(outlet, payload, given);
        await outlet.bus.publish(message, busOptionsOf(given));
        return published;
      }
      const watch = observer.begin(outlet.topic);
      try {
        const { message, published } = prepare(outlet, payload, { ...given, trace: watch.trace });
        await outlet.bus.publish(message, busOptionsOf(given));
        watch.ended();
        return published;
      } catch (error) {
        watch.ended(error);
        throw error;
      }
    },
  };
}

function outletsOf(contract: AnyContract, buses: Bus | EventBuses): ReadonlyMap<string, Outlet> {
  const entries = Object.entries(contract.spec.events ?? {}).map(([event, declared]) => {
    const { payload, version = 1, orderedBy, durability } = eventSpecOf(declared);
    const topic = topicOf(contract, event);
    const codec = new Codec(payload, {
      what: `Event ${topic}`,
      refuse: kernelErrors.EVENT_INVALID,
    });
    const headers = Object.freeze({ source: contract.name, schemaVersion: String(version) });
    assertFieldsFree(topic, payload);
    return [event, { topic, bus: busOf(buses, durability), codec, orderedBy, headers }] as const;
  });
  return new Map(entries);
}

/** `<service>.<event>`. */
export function topicOf(contract: AnyContract, event: string): string {
  return `${contract.name}.${event}`;
}

function busOptionsOf({ signal, mode, mandatory }: PublishOptions): BusPublishOptions {
  return { signal, mode, mandatory, owned: true };
}

/** Without types anything can be asked of a transaction; passed over, it would be missed. */
function assertForCommit(topic: string, given: PublishOptions): void {
  for (const option of ["mode", "mandatory"] as const) {
    if (given[option] === undefined) continue;
    throw kernelErrors.EVENT_INVALID(
      `Event ${topic} is published with a transaction, which takes no ${option}: leave it out, or ` +
        "publish the event outside of the transaction.",
      { details: { issues: [{ pointer: `/${option}`, expected: "nothing in a transaction" }] } },
    );
  }
}

interface HeaderInit {
  /** Of the publish itself, where it is a span of its own. */
  readonly trace?: TraceContext | undefined;
  readonly correlationId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** @throws EVENT_INVALID */
function headersOf({ topic, headers: fixed }: Outlet, given: HeaderInit): MessageHeaders {
  const call = currentCallContext();
  const { trace: own, correlationId = call?.correlationId, headers } = given;
  const free = headers === undefined ? fixed : { ...checkedHeaders(headers, topic), ...fixed };
  const named = correlationId === undefined ? free : { ...free, correlationId };
  if (call === undefined) return named === fixed ? fixed : Object.freeze(named);
  const { principal } = call;
  const trace = own ?? call.trace;
  return Object.freeze({
    ...named,
    principal: principalKey(principal),
    traceparent: formatTraceparent(trace),
    ...(trace.state === undefined ? {} : { tracestate: trace.state }),
  });
}

/** The text of the value the pointer leads to; nothing there is a key like any other. */
function orderingKeyOf(fields: unknown, pointer: string | undefined): string | undefined {
  if (pointer === undefined) return undefined;
  let found: unknown = fields;
  for (const token of pointer.split("/").slice(1)) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    // Own keys only: a pointer must not walk into a prototype.
    found = isFields(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return typeof found === "string" ? found : JSON.stringify(found ?? null);
}

function assertFieldsFree(topic: string, payload: unknown): void {
  if (typeof payload !== "object" || payload === null || !("properties" in payload)) return;
  const { properties } = payload;
  if (typeof properties !== "object" || properties === null) return;
  for (const field of ["eventId", "timestamp"]) {
    if (!Object.hasOwn(properties, field)) continue;
    throw kernelErrors.CONTRACT_INVALID(
      `Event ${topic} has a field "${field}", which the platform puts beside the payload; rename it.`,
    );
  }
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notFields(topic: string): Error {
  return kernelErrors.EVENT_INVALID(
    `Event ${topic} is not an object; its fields travel beside eventId and timestamp.`,
  );
}

function checkedId(eventId: string, topic: string): string {
  const id = eventId.toLowerCase();
  if (uuidPattern.test(id)) return id;
  throw kernelErrors.EVENT_INVALID(`The eventId given for ${topic} is not a UUID.`, {
    details: { issues: [{ pointer: "/eventId", expected: "a UUID" }] },
  });
}

function checkedDelay(delayMs: number, topic: string): number {
  if (typeof delayMs === "number" && delayMs >= 0 && delayMs <= delayMaxMs) return delayMs;
  throw kernelErrors.EVENT_INVALID(
    `The delayMs given for ${topic} is ${String(delayMs)}; it is 0 to 315 576 000 000 (ten years).`,
    { details: { issues: [{ pointer: "/delayMs", expected: "milliseconds from 0" }] } },
  );
}

/** @throws EVENT_INVALID where the contract declares no such event */
function found(outlet: Outlet | undefined, contract: AnyContract, event: string): Outlet {
  if (outlet !== undefined) return outlet;
  const known = nearest(event, Object.keys(contract.spec.events ?? {}));
  const hint = known === undefined ? "" : `; did you mean "${known}"?`;
  throw kernelErrors.EVENT_INVALID(
    `The contract "${contract.name}" declares no event "${event}"${hint || "."}`,
  );
}

/** Events come many to a millisecond; writing the date costs more than the rest of the message. */
function createIsoCache(): (timestampMs: number) => string {
  let lastMs = Number.NaN;
  let last = "";
  return (timestampMs) => {
    if (timestampMs !== lastMs) {
      lastMs = timestampMs;
      last = new Date(timestampMs).toISOString();
    }
    return last;
  };
}
