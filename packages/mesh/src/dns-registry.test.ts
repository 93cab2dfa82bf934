import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "@banyan/kernel";
import type { Random } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { dnsRegistry } from "./dns-registry.ts";
import type { ReadOnlyRegistry } from "./read-only-registry.ts";
import { openDnsServer } from "./sample-dns.test.ts";

/** The least: an answer holds as long as it says. */
const random: Random = { ...systemRandom, next: () => 0 };

async function addressesOf(registry: ReadOnlyRegistry): Promise<string[]> {
  const { seeds } = await registry.read();
  return seeds.map(({ host, port }) => `${host} ${port}`).toSorted();
}

test("all addresses of a name are nodes, of both families, on one port", async () => {
  await using dns = await openDnsServer();
  dns.zone.set("mesh.test", [
    { type: "A", ttl: 5, address: "127.0.0.2" },
    { type: "A", ttl: 5, address: "127.0.0.3" },
    { type: "AAAA", ttl: 5 },
  ]);
  const registry = dnsRegistry({ host: "mesh.test", port: 7000, ...dns, app: "shop" });
  assert.deepEqual(await addressesOf(registry), ["127.0.0.2 7000", "127.0.0.3 7000", "::1 7000"]);
  const { seeds } = await registry.read();
  assert(seeds.every(({ app }) => app === "shop"));
});

test("a name that begins with _ tells ports as well", async () => {
  await using dns = await openDnsServer();
  dns.zone.set("_mesh._tcp.test", [
    { type: "SRV", ttl: 5, target: "one.test", port: 7001 },
    { type: "SRV", ttl: 5, target: "two.test", port: 7002 },
  ]);
  dns.zone.set("one.test", [{ type: "A", ttl: 5, address: "127.0.0.1" }]);
  dns.zone.set("two.test", [{ type: "A", ttl: 5, address: "127.0.0.2" }]);
  const registry = dnsRegistry({ host: "_mesh._tcp.test", ...dns });
  assert.deepEqual(await addressesOf(registry), ["127.0.0.1 7001", "127.0.0.2 7002"]);
});

test("it is asked again when its records are over, and at most once a second", async () => {
  await using dns = await openDnsServer();
  const clock = new FakeClock();
  const registry = dnsRegistry({ host: "mesh.test", port: 7000, ...dns, clock, random });
  dns.zone.set("mesh.test", [{ type: "A", ttl: 0, address: "127.0.0.2" }]);
  await addressesOf(registry);
  const first = dns.asked;
  for (let n = 0; n < 9; n += 1) {
    await clock.advance(100);
    await addressesOf(registry);
  }
  assert.equal(dns.asked, first, "within the second");
  dns.zone.set("mesh.test", [{ type: "A", ttl: 10, address: "127.0.0.3" }]);
  await clock.advance(100);
  assert.deepEqual(await addressesOf(registry), ["127.0.0.2 7000", "127.0.0.3 7000"]);
  const second = dns.asked;
  await clock.advance(9900);
  await addressesOf(registry);
  assert.equal(dns.asked, second, "within the ten seconds that its record holds");
  await clock.advance(100);
  await addressesOf(registry);
  assert(dns.asked > second);
});

test("no such name, or no address of it, is no node; a server that fails is other", async () => {
  await using dns = await openDnsServer();
  const clock = new FakeClock();
  const registry = dnsRegistry({ host: "mesh.test", port: 7000, ...dns, clock });
  assert.deepEqual(await addressesOf(registry), []);
  dns.zone.set("mesh.test", []);
  await clock.advance(1000);
  assert.deepEqual(await addressesOf(registry), []);
  dns.isBroken = true;
  await clock.advance(1000);
  await assert.rejects(registry.read(), {
    code: "MESH_REGISTRY_UNAVAILABLE",
    message: /mesh\.test/,
  });
});

test("a registry without a name or a port is refused with what it needs", () => {
  for (const wrong of [{ host: "" }, { host: "mesh.test" }, { host: "mesh.test", port: 70_000 }]) {
    assert.throws(() => dnsRegistry(wrong), {
      code: "MESH_OPTIONS_INVALID",
      message: /1 to 65535/,
    });
  }
});

const three = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

test("answers that tell another part each time take nobody out", async () => {
  await using dns = await openDnsServer();
  const clock = new FakeClock();
  const registry = dnsRegistry({ host: "mesh.test", port: 7000, ...dns, clock, random });
  dns.zone.set(
    "mesh.test",
    three.map((address) => ({ type: "A", ttl: 0, address })),
  );
  dns.rotates = true;
  assert.equal((await addressesOf(registry)).length, 2);
  for (let n = 0; n < 20; n += 1) {
    await clock.advance(1000);
    assert.equal((await addressesOf(registry)).length, 3);
  }
});

test("an address is gone when several answers have left it out, also when all are", async () => {
  await using dns = await openDnsServer();
  const clock = new FakeClock();
  const registry = dnsRegistry({ host: "mesh.test", port: 7000, ...dns, clock, random });
  const records = three.map((address) => ({ type: "A", ttl: 0, address }) as const);
  dns.zone.set("mesh.test", records);
  await addressesOf(registry);
  for (const left of [records.slice(1), []]) {
    dns.zone.set("mesh.test", left);
    const before = (await addressesOf(registry)).length;
    for (let n = 0; n < 4; n += 1) {
      await clock.advance(1000);
      assert.equal((await addressesOf(registry)).length, before);
    }
    await clock.advance(1000);
    assert.equal((await addressesOf(registry)).length, left.length);
  }
});

test("a kind of record that DNS fails for keeps its addresses", async () => {
  await using dns = await openDnsServer();
  const clock = new FakeClock();
  const registry = dnsRegistry({ host: "mesh.test", port: 7000, ...dns, clock, random });
  dns.zone.set("mesh.test", [
    { type: "A", ttl: 0, address: "127.0.0.2" },
    { type: "AAAA", ttl: 0 },
  ]);
  await addressesOf(registry);
  dns.brokenType = "AAAA";
  for (let n = 0; n < 10; n += 1) {
    await clock.advance(1000);
    assert.deepEqual(await addressesOf(registry), ["127.0.0.2 7000", "::1 7000"]);
  }
});
