/**
 * A real RabbitMQ for one test: its own Erlang, its own data, its own port, and no epmd. Its life
 * is that of every server of a test (S1 to S3 of server-process). As root it runs as an
 * unprivileged user.
 */

import type { Child } from "./child.ts";
import { databasePassword, databaseUser } from "./database-user.ts";
import {
  connectionsExpression,
  queuesExpression,
  readConnections,
  readQueues,
} from "./rabbitmq-answer.ts";
import type { RabbitmqConnection, RabbitmqQueue } from "./rabbitmq-answer.ts";
import { askErlang, controlSocket, erlangBinary } from "./rabbitmq-control.ts";
import { doorOf, environmentOf, rabbitmqPrograms, readyWord, writeFiles } from "./rabbitmq-home.ts";
import type { RabbitmqHome } from "./rabbitmq-home.ts";
import { ensurePrograms } from "./required-programs.ts";
import { assertNotOwn, ServerProcess, startOnFreePort } from "./server-process.ts";
import type { ServerCommand, ServerOptions, ServerParts } from "./server-process.ts";
import { directoryOf, findServerUser } from "./server-user.ts";
import type { ServerTls } from "./test-certificates.ts";
import { until } from "./until.ts";

export interface RabbitmqOptions extends ServerOptions {
  /**
   * Settings of `rabbitmq.conf`, such as `{ channel_max: "20" }`. What is not named is as RabbitMQ
   * ships it, but for a disk that may be almost full.
   */
  readonly config?: Readonly<Record<string, string>>;
  /** Speak TLS on the port, and nothing else. `TestCertificates` fit. */
  readonly tls?: ServerTls;
}

export interface RabbitmqAsk {
  /** Default 10 000 ms. */
  readonly timeoutMs?: number;
}

/** A queue that is declared by hand. */
export interface RabbitmqQueueOptions {
  /** Default true. */
  readonly durable?: boolean;
  /** Such as `{ "x-queue-type": "quorum", "x-max-length": 10 }`. */
  readonly arguments?: Readonly<Record<string, string | number | boolean>>;
}

/** What a RabbitMQ may run short of; it takes nothing from publishers then. */
export type RabbitmqAlarm = "memory" | "disk";

/** Settings that make the server a private one; they are not for the caller to set. */
const ownSettings = ["default_pass", "default_user", "default_vhost", "log.dir", "log.file"];
const ownSections = /^(?:cluster_formation|listeners|ssl_options)(?:\.|$)/;
const host = "127.0.0.1";

/**
 * Starts a RabbitMQ and waits until it is ready. Rejects when there is none and none can be
 * installed; the message says what to do.
 */
export async function openRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const { config = {}, tls, startTimeoutMs } = options;
  const ofOwnSections = Object.keys(config).filter((name) => ownSections.test(name));
  assertNotOwn(config, [...ownSettings, ...ofOwnSections]);
  const { "rabbitmq-server": program } = await ensurePrograms(rabbitmqPrograms);
  const user = await findServerUser(["rabbitmq", "nobody"]);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await directoryOf(user, "rabbitmq"));
  const home = { program, folder, user };
  await writeFiles(home, { config, tls });
  const server = await startOnFreePort((port) => {
    return new RabbitmqServer({
      what: "RabbitMQ",
      folder,
      home,
      port,
      isSecure: tls !== undefined,
      ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
    });
  });
  stack.move(); // whoever asked ends the server, which removes its folder
  return server;
}

interface RabbitmqParts extends ServerParts {
  readonly home: RabbitmqHome;
  readonly port: number;
  readonly isSecure: boolean;
}

/** A RabbitMQ that runs; `openRabbitmq` makes it. */
export class RabbitmqServer extends ServerProcess {
  readonly host = host;
  readonly port: number;
  readonly user = databaseUser;
  readonly password = databasePassword;
  /** Whether clients speak TLS with it. */
  readonly isSecure: boolean;
  readonly #home: RabbitmqHome;

  /** Use `openRabbitmq`. */
  constructor(parts: RabbitmqParts) {
    super(parts);
    this.port = parts.port;
    this.isSecure = parts.isSecure;
    this.#home = parts.home;
  }

  /**
   * For clients: `amqp://banyan:banyan@127.0.0.1:49152`, `amqps://…` with TLS. The user may do all
   * in the default virtual host, `/`, which is the one that all below speaks of.
   */
  get url(): string {
    const { user, password, port, isSecure } = this;
    return `${isSecure ? "amqps" : "amqp"}://${user}:${password}@${host}:${port}`;
  }

  /**
   * What Erlang prints of the value of expressions that the server itself evaluates:
   * `await rabbitmq.ask("rabbit_amqqueue:count()")`. Rejects with Erlang's own words.
   */
  async ask(expressions: string, { timeoutMs }: RabbitmqAsk = {}): Promise<string> {
    return await askErlang(this.#home.folder.join(controlSocket), expressions, timeoutMs);
  }

  /** The queues, by name, as they are now. */
  async queues(): Promise<RabbitmqQueue[]> {
    return readQueues(await this.ask(queuesExpression));
  }

  /** Declares a queue by hand. Rejects when there is one of that name, whatever it is like. */
  async declareQueue(name: string, options: RabbitmqQueueOptions = {}): Promise<void> {
    const { durable = true, arguments: given = {} } = options;
    const table = Object.entries(given).map(([key, value]) => {
      if (typeof value === "boolean") return `{${erlangBinary(key)}, bool, ${value}}`;
      if (typeof value === "string") {
        return `{${erlangBinary(key)}, longstr, ${erlangBinary(value)}}`;
      }
      if (!Number.isSafeInteger(value)) throw new Error(`${key}: ${value} is no whole number.`);
      return `{${erlangBinary(key)}, long, ${value}}`;
    });
    const facts = `${durable}, false, [${table.join(", ")}], none, <<"testbed">>`;
    await this.ask(`{new, _} = rabbit_amqqueue:declare(${resourceOf(name)}, ${facts}), ok`);
  }

  /** Deletes a queue with all that is in it, whoever uses it. Answers how many were ready. */
  async deleteQueue(name: string): Promise<number> {
    return await this.#countOf(name, `rabbit_amqqueue:delete(Q, false, false, <<"testbed">>)`);
  }

  /** Throws away what is ready in a queue. Answers how many these were. */
  async purgeQueue(name: string): Promise<number> {
    return await this.#countOf(name, "rabbit_amqqueue:purge(Q)");
  }

  /** The connections of clients, by name. */
  async connections(): Promise<RabbitmqConnection[]> {
    return readConnections(await this.ask(connectionsExpression));
  }

  /** Closes all connections as an operator does: clients are told. Answers how many it closed. */
  async closeConnections(reason = "closed by the test"): Promise<number> {
    const words = `binary_to_list(${erlangBinary(reason)})`;
    return Number(
      await this.ask(`All = rabbit_networking:connections(),
        [rabbit_networking:close_connection(Each, ${words}) || Each <- All], length(All)`),
    );
  }

  /** What it is short of, now. */
  async alarms(): Promise<RabbitmqAlarm[]> {
    const found = await this.ask("[What || {{_, What, _}, _} <- rabbit_alarm:get_alarms()]");
    return (["memory", "disk"] as const).filter((each) => found.includes(each));
  }

  /** Makes it run short, until the alarm is cleared or it starts again; resolves when it knows. */
  async raiseAlarm(alarm: RabbitmqAlarm): Promise<void> {
    await this.ask(alarm === "memory" ? `${setMemory}(0.0)` : `${setDisk}(${hugeBytes})`);
    const isRaised = async (): Promise<boolean> => (await this.alarms()).includes(alarm);
    await until(isRaised, { what: `The ${alarm} alarm` });
  }

  /** Has it go by its configuration again; resolves when it is short no more. */
  async clearAlarm(alarm: RabbitmqAlarm): Promise<void> {
    const [set, name] =
      alarm === "memory" ? [setMemory, "vm_memory_high_watermark"] : [setDisk, "disk_free_limit"];
    await this.ask(`{ok, Limit} = application:get_env(rabbit, ${name}), ${set}(Limit)`);
    const isCleared = async (): Promise<boolean> => !(await this.alarms()).includes(alarm);
    await until(isCleared, { what: `The end of the ${alarm} alarm` });
  }

  protected command(): ServerCommand {
    const { program, user } = this.#home;
    const { args, env } = doorOf(this);
    const own = { tree: true, env: { ...environmentOf(this.#home), ...env } };
    return { program, args, options: { ...own, ...(user === undefined ? {} : { user }) } };
  }

  protected async untilReady(child: Child, timeoutMs: number): Promise<void> {
    try {
      // Alone in its line: a log of level debug shows the environment too.
      await child.waitForLine(new RegExp(`^${readyWord}$`), { timeoutMs });
    } catch (cause) {
      // Why it refuses is said long before its last words.
      const said = child.lines.filter(({ text }) => text.includes("[error]")).slice(0, 10);
      const words = said.map(({ text }) => `\n${text.replace(/^.*\[error\] \S+ /, "")}`);
      throw new Error(`RabbitMQ did not start:${words.join("")}`, { cause });
    }
  }

  async #countOf(queue: string, expression: string): Promise<number> {
    const found = `{ok, Q} = rabbit_amqqueue:lookup(${resourceOf(queue)})`;
    return Number(await this.ask(`${found}, {ok, Count} = ${expression}, Count`));
  }
}

const setMemory = "vm_memory_monitor:set_vm_memory_high_watermark";
const setDisk = "rabbit_disk_monitor:set_disk_free_limit";
/** More than any disk has free. */
const hugeBytes = "1000000000000000";

function resourceOf(queue: string): string {
  return `rabbit_misc:r(<<"/">>, queue, ${erlangBinary(queue)})`;
}
