/** Subject: a node that serves the echo operation over HTTP. */

import { openNode } from "@banyan/host";
import { cpuSince } from "../cpu-time.ts";
import { serveMeasures } from "../subject.ts";
import { echoService } from "./echo.contract.ts";

const node = await openNode({ services: [echoService], inMemory: true });

serveMeasures({ cpu: cpuSince() }, { url: `${node.url}/echo/say` });
