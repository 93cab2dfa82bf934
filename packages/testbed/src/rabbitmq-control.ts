/**
 * The way into a RabbitMQ beside its clients: Erlang expressions that the server itself evaluates.
 * `rabbitmqctl` does the same from a second Erlang, which takes a second to start, and needs a door
 * for other nodes that a private server does not have.
 */

import { once } from "node:events";
import { connect } from "node:net";
import { withTimeout } from "./with-timeout.ts";

/** Where the server listens for expressions, in its folder: a socket for its own user and root. */
export const controlSocket = "control.sock";

/** The file that the server evaluates before it starts RabbitMQ; named without need of quotes. */
export const controlFile = "control";

/**
 * What is in that file. The first half spares most of the time of a start: RabbitMQ loads every
 * module of every application to look for marks that only its own carry, one after the other and
 * each by way of a hundred folders.
 */
export const controlText = `
%% Now and then RabbitMQ starts an Erlang of its own, to have epmd run: it shall not, and not be us.
os:putenv("ERL_AFLAGS", "-start_epmd false -dist_listen false"),

FileOf = fun(App) -> code:where_is_file(atom_to_list(App) ++ ".app") end,
KeysOf = fun(App) ->
  case file:consult(FileOf(App)) of
    {ok, [{application, App, Keys}]} -> Keys;
    {error, _} -> []
  end
end,
%% Known to have no modules, an application is not searched; what is used of it is still found.
LoadLean = fun(App) ->
  Keys = lists:keystore(modules, 1, KeysOf(App), {modules, []}),
  application:load({application, App, Keys})
end,
lists:foreach(LoadLean, [amqp10_common, asn1, aten, compiler, credentials_obfuscation, crypto,
  cuttlefish, eldap, enough, ftp, gen_batch_server, getopt, inets, jsx, mnesia, observer_cli,
  os_mon, osiris, parsetools, public_key, ra, ranch, recon, runtime_tools, seshat, snmp, ssl,
  stdout_formatter, syntax_tools, sysmon_handler, syslog, systemd, tftp, tools, xmerl]),
lists:foreach(fun(App) -> code:add_patha(filename:dirname(FileOf(App))) end,
  [App || App <- [aten, gen_batch_server, ranch, osiris, ra, rabbit_common, rabbit],
          FileOf(App) =/= non_existing]),
ModulesOf = fun(App) -> proplists:get_value(modules, KeysOf(App), []) end,
%% Of those that must be searched, the modules are loaded side by side.
code:ensure_modules_loaded(lists:flatmap(ModulesOf, [kernel, stdlib, rabbit_common, rabbit])),

Evaluate = fun(Text) ->
  {ok, Tokens, _} = erl_scan:string(Text ++ "."),
  {ok, Expressions} = erl_parse:parse_exprs(Tokens),
  {value, Value, _} = erl_eval:exprs(Expressions, []),
  Value
end,
Print = fun(Term) -> unicode:characters_to_binary(io_lib:format("~0tp", [Term])) end,
Answer = fun(Bytes) ->
  try Evaluate(unicode:characters_to_list(Bytes)) of
    Value when is_binary(Value) -> [0, Value];
    Value -> [0, Print(Value)]
  catch
    _:Reason -> [1, Print(Reason)]
  end
end,
Serve = fun(Socket) ->
  {ok, Bytes} = gen_tcp:recv(Socket, 0),
  gen_tcp:send(Socket, Answer(Bytes)),
  gen_tcp:close(Socket)
end,
Accept = fun Loop(Listener) ->
  {ok, Socket} = gen_tcp:accept(Listener),
  spawn(fun() -> Serve(Socket) end),
  Loop(Listener)
end,
spawn(fun() ->
  file:delete("${controlSocket}"), %% of one that was killed
  Options = [{ifaddr, {local, "${controlSocket}"}}, binary, {packet, 4}, {active, false}],
  {ok, Listener} = gen_tcp:listen(0, Options),
  Accept(Listener)
end).
`;

/** Binary data of an expression. As base64, for nothing in that could end it early. */
export function erlangBinary(text: string): string {
  return `base64:decode("${Buffer.from(text).toString("base64")}")`;
}

/**
 * Evaluates expressions and answers what Erlang prints of the last value; a binary is answered as
 * the text that it is. Rejects with Erlang's own words.
 */
export async function askErlang(
  path: string,
  expressions: string,
  timeoutMs = 10_000,
): Promise<string> {
  const socket = connect({ path });
  const answer = async (): Promise<string> => {
    await once(socket, "connect");
    const words = Buffer.from(expressions);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(words.length);
    socket.write(Buffer.concat([head, words]));
    const chunks: Buffer[] = [];
    // No encoding is set, so the stream gives buffers.
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (bytes.length < 5) throw new Error("RabbitMQ closed the connection before it answered.");
    const text = bytes.toString("utf8", 5);
    if (bytes[4] === 0) return text;
    throw new Error(`RabbitMQ answered: ${text}`);
  };
  try {
    return await withTimeout(answer(), { what: "RabbitMQ's answer", timeoutMs });
  } finally {
    // An answer that comes too late, and a connection that ends badly, are nobody's any more.
    socket.on("error", () => undefined).destroy();
  }
}
