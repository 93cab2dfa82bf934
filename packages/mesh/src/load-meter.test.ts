import assert from "node:assert/strict";
import { test } from "node:test";
import { CallRuntime } from "@banyan/kernel/internal";
import { until } from "@banyan/testbed";
import { lagBetween, LoadMeter, openProcessReader } from "./load-meter.ts";
import type { LoadReading } from "./load-meter.ts";

/** A process whose times go on as the test says. */
function createProcess(cores = 1) {
  let now: LoadReading = {
    idleMs: 0,
    activeMs: 0,
    cpuMs: 0,
    cores,
    lagMs: 0,
    memory: 0,
    calls: 0,
  };
  return {
    read: () => now,
    close: () => undefined,
    pass(
      ms: number,
      shares: { eventLoop?: number; lagMs?: number; cpu?: number; memory?: number; calls?: number },
    ) {
      const { eventLoop = 0, lagMs = 0, cpu = 0, memory = 0, calls = 0 } = shares;
      now = {
        idleMs: now.idleMs + ms * (1 - eventLoop),
        activeMs: now.activeMs + ms * eventLoop,
        cpuMs: now.cpuMs + ms * cpu,
        cores,
        lagMs,
        memory,
        calls,
      };
    },
  };
}

test("each figure is a share, and the load is the greatest of them", () => {
  const process = createProcess();
  const meter = new LoadMeter(process);
  process.pass(60_000, { eventLoop: 0.25, lagMs: 25, cpu: 0.5, memory: 0.125, calls: 0.75 });
  const { load, eventLoop, lag, cpu, memory, calls } = meter.sample();
  const rounded = [load, eventLoop, lag, cpu, memory, calls].map((share) => share.toFixed(3));
  assert.deepEqual(rounded, ["0.750", "0.250", "0.100", "0.500", "0.125", "0.750"]);
});

test("more than all is all: a process on four cores, and calls over their bound", () => {
  const process = createProcess();
  const meter = new LoadMeter(process);
  for (let n = 0; n < 20; n += 1) {
    process.pass(60_000, { cpu: 4, calls: 1.5, memory: 2 });
    const figures = meter.sample();
    assert(Object.values(figures).every((share) => share >= 0 && share <= 1));
  }
});

test("a spike of one heartbeat is no load, and what lasts is", () => {
  const process = createProcess();
  const meter = new LoadMeter(process);
  process.pass(1500, { eventLoop: 1 });
  assert(meter.sample().load < 0.5);
  process.pass(1500, { eventLoop: 0 });
  assert(meter.sample().load < 0.3);
  for (let n = 0; n < 5; n += 1) {
    process.pass(1500, { eventLoop: 1 });
    meter.sample();
  }
  assert(meter.sample().load > 0.85);
});

test("how often it is looked at changes nothing, nor does looking twice at once", () => {
  const [often, seldom] = [createProcess(), createProcess()];
  const [meter, other] = [new LoadMeter(often), new LoadMeter(seldom)];
  for (let n = 0; n < 30; n += 1) {
    often.pass(100, { cpu: 0.6 });
    meter.sample();
    meter.sample();
  }
  seldom.pass(3000, { cpu: 0.6 });
  assert.equal(meter.sample().cpu.toFixed(6), other.sample().cpu.toFixed(6));
});

test("threads that take one of four cores are a quarter of what the process has", () => {
  const process = createProcess(4);
  const meter = new LoadMeter(process);
  process.pass(60_000, { cpu: 0.8 });
  assert.equal(meter.sample().load.toFixed(3), "0.200");
});

test("an event loop that is late is a load, however little it does", () => {
  const process = createProcess();
  const meter = new LoadMeter(process);
  process.pass(60_000, { eventLoop: 0.1, lagMs: 200 });
  assert.equal(meter.sample().load.toFixed(3), "0.800");
});

test("the lag is how long who comes at any moment waits", () => {
  const sumsOf = (...ms: number[]) => ({
    ns: ms.reduce((sum, each) => sum + each * 1e6, 0),
    squares: ms.reduce((sum, each) => sum + (each * 1e6) ** 2, 0),
  });
  const start = sumsOf();
  const onTime = Array.from({ length: 25 }, () => 20);
  assert.equal(lagBetween(start, sumsOf(...onTime)), 0);
  // Two of three come within a block of a second, and wait for half of it.
  const blocked = sumsOf(...onTime, 1000);
  assert.equal(Math.round(lagBetween(start, blocked)), 327);
  assert.equal(Math.round(lagBetween(sumsOf(...onTime), blocked)), 490);
  assert.equal(lagBetween(blocked, blocked), 0);
});

test("a real process that computes is seen to, and has calls and memory", async () => {
  const runtime = new CallRuntime({ inFlightMax: 4 });
  const reader = openProcessReader({ inFlight: 1, inFlightMax: runtime.inFlightMax });
  using _closed = { [Symbol.dispose]: () => reader.close() };
  const meter = new LoadMeter(reader);
  const compute = (): void => {
    const endMs = performance.now() + 50;
    while (performance.now() < endMs);
  };
  let figures = meter.sample();
  await until(
    () => {
      compute();
      figures = meter.sample();
      return figures.eventLoop > 0.2 && figures.lag > 0 && figures.cpu > 0;
    },
    { what: "it is busy" },
  );
  assert(figures.memory > 0 && figures.memory < 1, `${figures.memory}`);
  assert(figures.calls > 0 && figures.calls <= 0.25, `${figures.calls}`);
});

test("a lag is of the time since it was read last: a block is told once", async () => {
  const reader = openProcessReader({ inFlight: 0, inFlightMax: 1 });
  using _closed = { [Symbol.dispose]: () => reader.close() };
  const isWatched = () => reader.read().lagMs > 100;
  await until(
    () => {
      const endMs = performance.now() + 600;
      while (performance.now() < endMs);
      return isWatched();
    },
    { what: "a block is seen" },
  );
  await until(() => reader.read().lagMs < 5, { what: "it is over" });
});
