/** Subject: a typed store on PostgreSQL. Arguments: URL, keys. */

import { openPostgresState } from "@banyan/postgres";
import { platformRecords } from "./platform-records.ts";
import { serveRecords } from "./sql-questions.ts";

const [url = "", keys = "0"] = process.argv.slice(2);
await serveRecords(await platformRecords(await openPostgresState({ url })), Number(keys));
