/** Subject: a typed store on MariaDB. Arguments: URL, keys. */

import { openMysqlState } from "@banyan/mysql";
import { platformRecords } from "./platform-records.ts";
import { serveRecords } from "./sql-questions.ts";

const [url = "", keys = "0"] = process.argv.slice(2);
await serveRecords(await platformRecords(await openMysqlState({ url })), Number(keys));
