/** What an error of the server means, in whatever language the server speaks. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import { TableFailure } from "@banyan/state/internal";
import { findReasonToSkip, openPostgres, postgresPrograms } from "@banyan/testbed";
import type { PostgresServer } from "@banyan/testbed";
import pg from "pg";
import { openPostgresState } from "./postgres-engine.ts";
import { isAnswer, statementFailure } from "./postgres-failure.ts";

const skip = await findReasonToSkip(postgresPrograms);
const meanings = {
  raced: ["23505", "40P01", "40001", "55P03"],
  invalid: ["22P05", "54000"],
  refused: ["42501", "57014", "25P02"],
  lost: ["08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25P03"],
} as const;

function kindOf(severity: string, code: string): string {
  const failure = statementFailure(Object.assign(new Error("it says"), { severity, code }));
  assert(failure instanceof TableFailure);
  return failure.kind;
}

test("an error means what its code says, in every language of a server", () => {
  for (const severity of ["ERROR", "FEHLER", "ERREUR", "ОШИБКА", "エラー"]) {
    for (const [kind, codes] of Object.entries(meanings)) {
      for (const code of codes) assert.equal(kindOf(severity, code), kind, `${severity} ${code}`);
    }
  }
});

test("what may end the process is an answer only where the word is plain", () => {
  for (const code of ["53100", "58030", "XX000"]) {
    assert.equal(kindOf("ERROR", code), "refused");
    assert.equal(kindOf("PANIK", code), "lost");
    assert.equal(kindOf("FEHLER", code), "lost");
  }
  for (const severity of ["FATAL", "PANIC"]) assert.equal(kindOf(severity, "40001"), "lost");
  assert.equal(isAnswer(new Error("read ECONNRESET")), false);
});

test("on a server that speaks German a race is a race", { skip }, async (context) => {
  await using server = await openGermanPostgres();
  const word = await wordOf(server);
  if (word !== "FEHLER") {
    context.skip(`the translations of PostgreSQL are not here: it says ${word}`);
    return;
  }
  await using one = await openPostgresState({ url: server.url });
  await using two = await openPostgresState({ url: server.url });
  const spec = { value: t.Integer(), durability: "durable" } as const;
  const open = (engine: typeof one) => openStore(engine, { scope: "own", name: "words", spec });
  const stores = [await open(one), await open(two)];
  for (let round = 0; round < 40; round += 1) {
    const races = stores.map((store) => store.set(`key-${round}`, round, { ifAbsent: true }));
    const ends = await Promise.allSettled(races);
    const reasons = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    assert.equal(reasons.length, 1);
    assert(isBanyanError(reasons[0], "STATE_VERSION_CONFLICT"), String(reasons[0]));
  }
});

/** What it calls an error. */
async function wordOf({ url }: PostgresServer): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  const error: unknown = await client
    .query("SELECT * FROM nobody")
    .catch((reason: unknown) => reason);
  await client.end();
  assert(error instanceof pg.DatabaseError);
  return error.severity ?? "";
}

/** The words of `LANGUAGE`, which go with any locale that is not C; its log stays English. */
async function openGermanPostgres(): Promise<PostgresServer> {
  const before = process.env["LANGUAGE"];
  process.env["LANGUAGE"] = "de";
  try {
    const server = await openPostgres();
    const speak = "ALTER DATABASE banyan SET lc_messages = 'C.UTF-8'";
    await server.ask(speak, { superuser: true });
    return server;
  } finally {
    if (before === undefined) delete process.env["LANGUAGE"];
    else process.env["LANGUAGE"] = before;
  }
}
