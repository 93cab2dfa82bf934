/** What a RabbitMQ reads when it starts, and what makes it a private one. */

import { writeFile } from "node:fs/promises";
import type { ChildUser } from "./child.ts";
import { databasePassword, databaseUser } from "./database-user.ts";
import { controlFile, controlText } from "./rabbitmq-control.ts";
import type { RequiredPrograms } from "./required-programs.ts";
import { copyServerTls } from "./server-tls.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import type { ServerTls } from "./test-certificates.ts";

/** The server; it brings Erlang. */
export const rabbitmqPrograms: RequiredPrograms<"rabbitmq-server"> = {
  what: "RabbitMQ 3.10",
  programs: ["rabbitmq-server"],
  packages: ["rabbitmq-server"],
  // Debian's on the PATH is another, which leaves its environment for that of the service.
  folders: ["/usr/lib/rabbitmq/bin"],
  elsewhere: "On macOS: brew install rabbitmq.",
};

export interface RabbitmqHome {
  readonly program: string;
  /** Holds the data, the configuration, the Erlang cookie, and the socket of `ask`. */
  readonly folder: TemporaryDirectory;
  readonly user: ChildUser | undefined;
}

export interface RabbitmqSettings {
  /** Settings of `rabbitmq.conf`. */
  readonly config: Readonly<Record<string, string>>;
  readonly tls: ServerTls | undefined;
}

/** Printed, alone in its line, when RabbitMQ has started. An atom, for it needs no quotes. */
export const readyWord = "rabbitmq_has_started";

/** Nobody else sees the name: no two of them ever meet. Data are only good under one name. */
const nodeName = "rabbit@localhost";
/** The server asks epmd for its own port, again and again until it is told one. It has none. */
const noPort = "1";
const host = "127.0.0.1";
const diskFreeLimitBytes = 1_000_000;

/** Writes what it reads. The testbed's own settings prevail over those of `rabbitmq.conf`. */
export async function writeFiles(
  home: RabbitmqHome,
  { config, tls }: RabbitmqSettings,
): Promise<void> {
  const { folder } = home;
  const user = `{default_user, <<"${databaseUser}">>}, {default_pass, <<"${databasePassword}">>}`;
  const isDiskGiven = Object.keys(config).some((name) => name.startsWith("disk_free_limit."));
  const disk = isDiskGiven ? [] : [`{disk_free_limit, ${diskFreeLimitBytes}}`];
  const secure = tls === undefined ? [] : [await tlsSettings(home, tls)];
  const own = `[{rabbit, [${[user, ...disk, ...secure].join(", ")}]}].\n`;
  await writeFile(folder.join("advanced.config"), own);
  await writeFile(folder.join("enabled_plugins"), "[].\n");
  await writeFile(folder.join(controlFile), controlText);
  const lines = Object.entries(config).map(([name, value]) => `${name} = ${value}\n`);
  // Even an empty one would be read with the schemas of all plugins, which takes its time.
  if (lines.length > 0) await writeFile(folder.join("rabbitmq.conf"), lines.join(""));
}

async function tlsSettings({ folder, user }: RabbitmqHome, tls: ServerTls): Promise<string> {
  const { ca, certificate, key } = await copyServerTls(tls, folder, user);
  const files = `{cacertfile, "${ca}"}, {certfile, "${certificate}"}, {keyfile, "${key}"}`;
  const isAsked = tls.requireClientCertificate === true;
  const verify = `{verify, ${isAsked ? "verify_peer" : "verify_none"}}`;
  const options = `${files}, ${verify}, {fail_if_no_peer_cert, ${isAsked}}`;
  return `{tcp_listeners, []}, {ssl_options, [${options}]}`;
}

/** How it is told where to listen: there is a variable for it, but none for TLS. */
export function doorOf({ port, isSecure }: { readonly port: number; readonly isSecure: boolean }): {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  if (isSecure) {
    return { args: ["-rabbit", "ssl_listeners", `[{"${host}",${port}}]`], env: {} };
  }
  const env = { RABBITMQ_NODE_IP_ADDRESS: host, RABBITMQ_NODE_PORT: String(port) };
  return { args: [], env };
}

/**
 * The environment of the server. It is told that it may read its input, or the process would be a
 * shell that waits for Erlang. It is no node that others reach: no port, no epmd.
 */
export function environmentOf({ folder }: RabbitmqHome): Readonly<Record<string, string>> {
  return {
    HOME: folder.path,
    ERL_AFLAGS: [
      "-start_epmd false",
      "-dist_listen false",
      `-erl_epmd_port ${noPort}`,
      `-eval file:eval(${controlFile})`,
    ].join(" "),
    ERL_CRASH_DUMP_SECONDS: "0",
    ERL_EPMD_ADDRESS: host,
    ERL_EPMD_PORT: noPort,
    RABBITMQ_ADVANCED_CONFIG_FILE: folder.join("advanced.config"),
    RABBITMQ_ALLOW_INPUT: "1",
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_CONFIG_FILE: folder.join("rabbitmq.conf"),
    RABBITMQ_CONFIG_FILES: folder.join("no-more"),
    RABBITMQ_ENABLED_PLUGINS_FILE: folder.join("enabled_plugins"),
    RABBITMQ_LOG_BASE: folder.join("log"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_MNESIA_BASE: folder.join("data"),
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      "-noinput",
      `-sname ${nodeName}`,
      "+S 2:2", // of the cores; a test needs no more, and each costs memory
      // Its turn comes when RabbitMQ has started. The log takes the same way out: no line is mixed.
      `-eval io:put_chars([10,atom_to_list(${readyWord}),10])`,
    ].join(" "),
  };
}
