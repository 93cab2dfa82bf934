/** What a RabbitMQ says of itself as JSON, read as far as it is checked. */

/** A queue of the default virtual host, as it is now. */
export interface RabbitmqQueue {
  readonly name: string;
  readonly type: "classic" | "quorum" | "stream";
  readonly isDurable: boolean;
  /** Those that it was declared with, such as `{ "x-queue-type": "quorum" }`. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** How many messages wait to be delivered. */
  readonly ready: number;
  /** How many were delivered and not acknowledged yet. */
  readonly unacknowledged: number;
  readonly consumers: number;
}

/** A connection of a client, as it is now. */
export interface RabbitmqConnection {
  /** `127.0.0.1:49152 -> 127.0.0.1:49153`: the client's side first. */
  readonly name: string;
  readonly user: string;
  /** `running`; `blocked`, while an alarm keeps it from publishing. */
  readonly state: string;
  readonly channels: number;
}

/** Expressions whose value is the queues' JSON. */
export const queuesExpression = `
  Keys = [name, type, durable, arguments, messages_ready, messages_unacknowledged, consumers],
  rabbit_json:encode([begin
    #{name := {resource, _, queue, Name}, arguments := Arguments} = Info = maps:from_list(Each),
    Info#{name := Name, arguments := rabbit_misc:amqp_table(Arguments)}
  end || Each <- rabbit_amqqueue:info_all(<<"/">>, Keys)])`;

/** Expressions whose value is the connections' JSON. */
export const connectionsExpression = `
  Keys = [name, user, state, channels],
  All = rabbit_networking:connection_info_all(Keys),
  rabbit_json:encode([maps:from_list(Each) || Each <- All])`;

type Table = Readonly<Record<string, unknown>>;

/** The queues, by name. */
export function readQueues(json: string): RabbitmqQueue[] {
  return tablesOf(json).map((each) => ({
    name: textOf(each["name"]),
    type: typeOf(each["type"]),
    isDurable: each["durable"] === true,
    arguments: tableOf(each["arguments"]),
    ready: countOf(each["messages_ready"]),
    unacknowledged: countOf(each["messages_unacknowledged"]),
    consumers: countOf(each["consumers"]),
  }));
}

/** The connections, by name. */
export function readConnections(json: string): RabbitmqConnection[] {
  return tablesOf(json).map((each) => ({
    name: textOf(each["name"]),
    user: textOf(each["user"]),
    state: textOf(each["state"]),
    channels: countOf(each["channels"]),
  }));
}

function tablesOf(json: string): Table[] {
  const value: unknown = JSON.parse(json);
  if (!Array.isArray(value)) throw new Error(`RabbitMQ answered what is no list: ${json}`);
  const byName = (a: Table, b: Table): number => (textOf(a["name"]) < textOf(b["name"]) ? -1 : 1);
  return value.map(tableOf).sort(byName);
}

/** An empty table of RabbitMQ is an empty list of JSON. */
function tableOf(value: unknown): Table {
  // Whatever is no object has no keys, which its readers then miss.
  return typeof value === "object" && value !== null ? (value as Table) : {};
}

/** Of one that ended meanwhile RabbitMQ tells less. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function countOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** RabbitMQ gives classic queues' type by name, the others' by the name of their module. */
function typeOf(value: unknown): RabbitmqQueue["type"] {
  const [, name] = /^(?:rabbit_)?(quorum|stream)/.exec(textOf(value)) ?? [];
  return name === "quorum" || name === "stream" ? name : "classic";
}
