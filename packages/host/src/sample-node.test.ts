/** What the host's tests share: a service with one of everything, and how to call it. No tests. */

import { setTimeout as realSleep } from "node:timers/promises";
import { defineContract, defineService, t } from "@banyan/kernel";
import type { Call } from "@banyan/kernel";
import { createRecordingLog } from "@banyan/testbed";
import type { RecordingLog } from "@banyan/testbed";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import type { NodeOptions, OpenNodeDirectory } from "./options.ts";

export const sample = defineContract("sample", {
  summary: "One operation of every kind.",
  version: "1.2.3",
  layer: "L2",
  config: t.Object({ greeting: t.String({ default: "Hello" }) }),
  stores: { visits: { durability: "durable", value: t.Object({ count: t.Integer() }) } },
  events: { greeted: t.Object({ name: t.String() }) },
  errors: { SAMPLE_SHY: { kind: "failed_precondition", summary: "It does not want to." } },
  operations: {
    greet: {
      summary: "Greet one person by name.",
      access: "anonymous",
      request: t.Object({ name: t.String({ minLength: 1, maxLength: 64 }) }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
      errors: ["SAMPLE_SHY"],
    },
    ping: { summary: "Do nothing.", access: "anonymous" },
    keep: {
      summary: "Answer anything as it came.",
      access: "anonymous",
      request: t.Object({ value: t.Unknown() }),
      response: t.Object({ value: t.Unknown() }),
    },
    small: {
      summary: "Take a small body.",
      access: "anonymous",
      payloadBytesMax: 64,
      request: t.Object({ text: t.String() }),
    },
    hang: { summary: "Answer when told to.", access: "anonymous" },
    crash: { summary: "Fail with a secret.", access: "anonymous" },
    lie: {
      summary: "Answer what the contract forbids.",
      access: "anonymous",
      response: t.Object({ ok: t.Boolean() }),
    },
    secret: { summary: "For the operator.", response: t.Object({ by: t.String() }) },
    admin: { reset: { summary: "In a group.", access: "anonymous" } },
    count: {
      summary: "Count up to a number.",
      access: "anonymous",
      request: t.Object({ to: t.Integer({ minimum: 0 }), failAt: t.Optional(t.Integer()) }),
      stream: t.Object({ n: t.Integer() }),
    },
    flood: {
      summary: "Frames without end.",
      access: "anonymous",
      stream: t.Object({ text: t.String() }),
    },
    quiet: {
      summary: "A stream that waits.",
      access: "anonymous",
      stream: t.Object({}),
      streamAhead: 2,
    },
    file: {
      summary: "A file by its name.",
      access: "anonymous",
      http: { method: "GET", path: "/files/:name", exchange: "raw" },
    },
    upload: {
      summary: "Bytes in, their number out.",
      access: "anonymous",
      http: { method: "POST", path: "/upload", exchange: "raw" },
    },
  },
});

/** What the handlers saw, and how they are let go on. */
export interface SampleProbe {
  readonly calls: Call[];
  readonly aborted: string[];
  framesMade: number;
  streamsEnded: number;
  readonly release: () => void;
  readonly released: Promise<void>;
}

export function sampleProbe(): SampleProbe {
  const gate = Promise.withResolvers<void>();
  return {
    calls: [],
    aborted: [],
    framesMade: 0,
    streamsEnded: 0,
    release: gate.resolve,
    released: gate.promise,
  };
}

export function defineSample(probe: SampleProbe = sampleProbe()) {
  return defineService(sample, ({ stores, publish, config }) => ({
    operations: {
      async greet({ name }, call) {
        probe.calls.push(call);
        if (name === "shy") throw sample.errors.SAMPLE_SHY("Not today.");
        const { count } = await stores.visits.update(name, (old) => ({
          count: (old?.count ?? 0) + 1,
        }));
        await publish("greeted", { name });
        return { text: `${config.greeting}, ${name}!`, count };
      },
      ping: () => undefined,
      keep: ({ value }) => ({ value }),
      small: () => undefined,
      async hang(_, call) {
        probe.calls.push(call);
        call.signal.addEventListener("abort", () => probe.aborted.push("hang"));
        await probe.released;
      },
      crash: () => {
        throw new Error("the password is hunter2");
      },
      // Plain JavaScript would not be stopped by the types either.
      lie: () => ({ ok: "hunter2" }) as never,
      secret: (_, { principal }) => ({ by: principal.kind }),
      admin: { reset: () => undefined },
      async *count({ to, failAt }) {
        try {
          for (let n = 1; n <= to; n += 1) {
            if (n === failAt) throw sample.errors.SAMPLE_SHY("No further.");
            probe.framesMade += 1;
            yield { n };
          }
        } finally {
          probe.streamsEnded += 1;
        }
      },
      async *flood() {
        const text = "x".repeat(64_000);
        try {
          for (;;) {
            probe.framesMade += 1;
            yield { text };
          }
        } finally {
          probe.streamsEnded += 1;
        }
      },
      async *quiet(_, call) {
        probe.calls.push(call);
        try {
          await probe.released;
          yield {};
        } finally {
          probe.streamsEnded += 1;
        }
      },
      file: ({ params, request }) => fileOf(params["name"] ?? "", request),
      async upload({ request }) {
        const bytes = await request.bytes();
        const type = request.headers.get("content-type");
        return Response.json({ size: bytes.length, last: bytes.at(-1) ?? null, type });
      },
    },
  }));
}

function fileOf(name: string, request: Request): Response {
  switch (name) {
    case "moved":
      return new Response(null, { status: 302, headers: { location: "/files/here" } });
    case "cookies": {
      const headers = new Headers();
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response("two", { headers });
    }
    case "bytes":
      return new Response(new Uint8Array([0, 255, 10, 13]));
    case "large":
      return new Response(new Blob(Array.from({ length: 64 }, () => "x".repeat(65_536))));
    case "error":
      return Response.error();
    case "control":
      return new Response("x", { headers: { "x-name": "a\u0001b" } });
    case "locked": {
      const response = new Response("x");
      response.body?.getReader();
      return response;
    }
    case "broken":
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(new TextEncoder().encode("half"));
            controller.error(new Error("the disk is hunter2"));
          },
        }),
      );
    default:
      return Response.json({ name, method: request.method, url: request.url });
  }
}

/** A data directory that the test itself makes and removes. */
export function borrowed(path: string): OpenNodeDirectory {
  return () => Promise.resolve({ path, [Symbol.asyncDispose]: () => Promise.resolve() });
}

export interface SampleNode extends AsyncDisposable {
  readonly node: Node;
  readonly probe: SampleProbe;
  readonly log: RecordingLog;
  readonly url: string;
}

type Settings = Readonly<Record<string, unknown>>;

/** A node with the sample, in memory; `settings` by pointer. */
export async function openSample(
  settings: Settings = {},
  options: Partial<NodeOptions> = {},
): Promise<SampleNode> {
  const probe = sampleProbe();
  const log = createRecordingLog();
  const node = await openNode({
    services: [defineSample(probe)],
    inMemory: true,
    log,
    ...options,
    config: { flags: flagsOf(settings) },
  });
  const close = async (): Promise<void> => {
    probe.release();
    await node.close();
  };
  return { node, probe, log, url: node.url ?? "", [Symbol.asyncDispose]: close };
}

export function flagsOf(settings: Settings): { pointer: string; value: unknown; flag: string }[] {
  return Object.entries(settings).map(([pointer, value]) => ({ pointer, value, flag: "test" }));
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON, `undefined` when there is none. */
  readonly body: Record<string, unknown>;
}

export async function post(
  [url, path]: readonly [url: string, path: string],
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = body === undefined ? undefined : { "content-type": "application/json" };
  return request(url, path, {
    method: "POST",
    headers: { ...type, ...headers },
    body: body ?? null,
  });
}

export async function request(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, { redirect: "manual", ...init });
  const text = await response.text();
  const isJson = text !== "" && /json/.test(response.headers.get("content-type") ?? "");
  // Tests look at single members; what is no JSON has none.
  const body = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>;
  return { status: response.status, headers: response.headers, text, body };
}

/** Waits in real time for something that a socket brings about. */
export async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !holds(); tries += 1) await realSleep(5);
  if (!holds()) throw new Error(`Never came true: ${holds.toString()}`);
}
