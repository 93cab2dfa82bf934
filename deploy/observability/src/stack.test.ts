import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { test } from "node:test";
import {
  ensurePrograms,
  findReasonToSkip,
  prometheusPrograms,
  spawnProgram,
} from "@banyan/testbed";
import { parse } from "yaml";
import { dashboardFileNames, packFolder, readPackFile } from "./expressions.ts";
import { fieldOf, listOf, textOf } from "./rule-file.ts";

const prometheusTest = { skip: await findReasonToSkip(prometheusPrograms) };
const compose: unknown = parse(readPackFile("compose.yaml"));
const services = new Map(Object.entries(fieldOf(compose, "services") ?? {}));

/** Where a file of a container comes from; `undefined` when nothing is mounted there. */
function mountedAt(service: string, path: string): string | undefined {
  for (const volume of textsOf(services.get(service), "volumes")) {
    const [source = "", target = ""] = volume.split(":");
    if (source.startsWith("./") && (path === target || path.startsWith(`${target}/`))) {
      return resolve(packFolder, source, path.slice(target.length + 1));
    }
  }
  return undefined;
}

function textsOf(value: unknown, name: string): string[] {
  return listOf(fieldOf(value, name)).map(String);
}

test("promtool takes the configuration of Prometheus", prometheusTest, async () => {
  const { promtool } = await ensurePrograms(prometheusPrograms);
  const config = resolve(packFolder, "prometheus/prometheus.yml");
  await using child = spawnProgram(promtool, ["check", "config", config]);
  const { code } = await child.exited;
  assert.equal(code, 0, child.stderr);
  assert.match(child.stdout, /2 rule files found/);
});

test("images are pinned, and ports are open on the machine itself only", () => {
  assert.deepEqual([...services.keys()], ["prometheus", "grafana", "otel-collector", "tempo"]);
  for (const [name, service] of services) {
    assert.match(textOf(service, "image"), /^[\w./-]+:v?\d+\.\d+\.\d+$/, name);
    for (const port of textsOf(service, "ports")) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
    const isTraces = textsOf(service, "profiles").includes("traces");
    assert.equal(isTraces, name === "otel-collector" || name === "tempo", name);
  }
});

test("whatever is mounted is there, and so is every file that a command names", () => {
  const volumes = Object.keys(fieldOf(compose, "volumes") ?? {});
  for (const [name, service] of services) {
    for (const volume of textsOf(service, "volumes")) {
      const [source = ""] = volume.split(":");
      if (source.startsWith("./")) assert.ok(existsSync(resolve(packFolder, source)), volume);
      else assert.ok(volumes.includes(source), volume);
    }
    for (const word of textsOf(service, "command")) {
      const file = /config(?:\.file)?=(.+)$/.exec(word)?.[1];
      if (file !== undefined) assert.ok(existsSync(mountedAt(name, file) ?? ""), word);
    }
  }
});

test("Grafana finds its dashboards and its sources under the names that are written", () => {
  const dashboards = parse(readPackFile("grafana/provisioning/dashboards/banyan.yml"));
  const [provider] = listOf(fieldOf(dashboards, "providers"));
  const folder = textOf(fieldOf(provider, "options"), "path");
  const [first = ""] = dashboardFileNames();
  assert.equal(mountedAt("grafana", folder), dirname(resolve(packFolder, first)));
  const home = textOf(fieldOf(services.get("grafana"), "environment"), homeDashboard);
  assert.ok(existsSync(mountedAt("grafana", home) ?? ""), home);

  const sources = parse(readPackFile("grafana/provisioning/datasources/banyan.yml"));
  const known = listOf(fieldOf(sources, "datasources"));
  for (const source of known) {
    const { hostname } = new URL(textOf(source, "url"));
    assert.ok(services.has(hostname), `${hostname} is no service of the stack`);
  }
  const [prometheus, tempo] = known;
  const links = listOf(fieldOf(fieldOf(prometheus, "jsonData"), "exemplarTraceIdDestinations"));
  assert.deepEqual(
    links.map((link) => [textOf(link, "name"), textOf(link, "datasourceUid")]),
    [["trace_id", textOf(tempo, "uid")]],
  );
});

const homeDashboard = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";

test("the collector's pipeline is made of what is configured, in the order that is safe", () => {
  const config: unknown = parse(readPackFile("otel-collector/config.yaml"));
  const pipeline = fieldOf(fieldOf(fieldOf(config, "service"), "pipelines"), "traces");
  for (const part of ["receivers", "processors", "exporters"]) {
    const configured = Object.keys(fieldOf(config, part) ?? {});
    assert.deepEqual(textsOf(pipeline, part), configured, part);
  }
  assert.deepEqual(textsOf(pipeline, "processors"), ["memory_limiter", "tail_sampling", "batch"]);
  const [exporter = ""] = textsOf(pipeline, "exporters");
  const endpoint = textOf(fieldOf(fieldOf(config, "exporters"), exporter), "endpoint");
  const tempo: unknown = parse(readPackFile("tempo/tempo.yaml"));
  assert.ok(services.has(endpoint.split(":")[0] ?? ""));
  assert.match(JSON.stringify(tempo), new RegExp(`"0\\.0\\.0\\.0:${endpoint.split(":")[1]}"`));
});
