/** What the scene of the test is made of, besides processes: configurations and small servers. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { basename, resolve } from "node:path";
import { createMetrics } from "@banyan/telemetry";
import type { Metrics } from "@banyan/telemetry";
import { parse } from "yaml";
import { packFolder, readPackFile, ruleFileNames } from "./expressions.ts";
import { fieldOf, listOf } from "./rule-file.ts";

export const repository = resolve(packFolder, "../..");

/** The configuration that is shipped, with these targets and at a faster pace. */
export function prometheusFiles(ports: readonly number[]): {
  readonly config: string;
  readonly rules: Readonly<Record<string, string>>;
} {
  const shipped: unknown = parse(readPackFile("prometheus/prometheus.yml"));
  const [scrape] = listOf(fieldOf(shipped, "scrape_configs"));
  const targets = ports.map((port) => `127.0.0.1:${port}`);
  const names = ruleFileNames();
  const config = {
    ...tableOf(shipped),
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: names.map((name) => basename(name)),
    scrape_configs: [{ ...tableOf(scrape), file_sd_configs: [], static_configs: [{ targets }] }],
  };
  return {
    config: JSON.stringify(config), // which is YAML
    rules: Object.fromEntries(names.map((name) => [basename(name), readPackFile(name)])),
  };
}

export interface NodePlaces {
  readonly port: number;
  readonly collector: number;
  /** Of the server that keeps the stock. */
  readonly postgresUrl: string;
  /** Of the server that carries ephemeral events; the node tells one, that it has joined. */
  readonly rabbitmqUrl: string;
}

/**
 * A shop that keeps its stock on a server and the rest in its file, a service that fails, a
 * RabbitMQ beside the bus in the file, a fleet of one, and an export to the port of a collector.
 */
export function nodeConfig(places: NodePlaces): string {
  const { port, collector, postgresUrl, rabbitmqUrl } = places;
  const folders = ["examples/order-desk", "deploy/observability/src/grumbler"];
  const otlp = { endpoint: `http://127.0.0.1:${collector}`, intervalMs: 100, metricsIntervalMs: 0 };
  return JSON.stringify({
    http: { port },
    log: { level: "warn" },
    discover: folders.map((folder) => resolve(repository, folder)),
    telemetry: { otlp },
    engines: {
      ephemeralBus: "rabbitmq",
      pins: {
        "stock.levels": "postgres",
        "stock.deliveries": "postgres",
        "stock.decisions": "postgres",
      },
    },
    postgres: { url: postgresUrl },
    mesh: { registry: "postgres", secret: "known to this node of the scene alone" },
    rabbitmq: { url: rabbitmqUrl },
  });
}

/** What nothing in a healthy node makes happen: no room for a series, a value nobody can read. */
export function createFailingMetrics(): Metrics {
  const metrics = createMetrics({ seriesMax: 1 });
  const one = metrics.gauge("sample", { help: "Has one label too many.", labels: ["name"] });
  for (const name of ["a", "b"]) one.with({ name }).set(1);
  metrics.observe("sample_read", { type: "gauge", help: "Cannot be read." }, () => {
    throw new Error("It cannot be read, as it was meant to.");
  });
  return metrics;
}

/** The port of a server that ends with the stack. */
export async function serve(stack: AsyncDisposableStack, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

function tableOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}
