import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { openRedisCluster } from "./redis-cluster.ts";
import { redisPrograms } from "./redis-program.ts";
import { findReasonToSkip } from "./required-programs.ts";
import { until } from "./until.ts";

const redisTest = { skip: await findReasonToSkip(redisPrograms) };

test("a cluster has every slot, notices a dead member and is whole again", redisTest, async () => {
  const left: { directory: string; pid: number }[] = [];
  {
    await using cluster = await openRedisCluster({
      config: { "cluster-node-timeout": "500", appendonly: "yes" },
    });
    left.push(...cluster.nodes.map(({ directory, pid }) => ({ directory, pid })));
    assert.equal(new Set(cluster.urls).size, 3);
    const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
    const owners = await Promise.all(keys.map((key) => cluster.nodeOf(key)));
    for (const [index, key] of keys.entries()) {
      assert.equal(await owners[index]?.ask("SET", key, "1"), "OK");
    }
    assert.equal(new Set(owners).size, 3);
    const [owner, other] = [owners[0], cluster.nodes.find((node) => node !== owners[0])];
    assert.ok(owner !== undefined && other !== undefined);
    const elsewhere = String(("port" in owner.address && owner.address.port) || "no port");
    await assert.rejects(other.ask("GET", "key-0"), new RegExp(`MOVED \\d+ .*:${elsewhere}`));
    await owner.kill();
    const isDown = async (): Promise<boolean> =>
      String(await other.ask("CLUSTER", "INFO")).includes("cluster_state:fail");
    await until(isDown, { what: "The notice of a member's death" });
    await owner.start();
    await cluster.untilOk();
    assert.equal(await owner.ask("GET", "key-0"), "1");
  }
  for (const { directory, pid } of left) {
    assert.equal(existsSync(directory), false);
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  }
});
