/** Subject: the handler called as a function. What nobody can be faster than, and does nothing. */

import { callRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { payloadSent } from "./echo.contract.ts";

const handler = (request: typeof payloadSent): Promise<typeof payloadSent> =>
  Promise.resolve(request);

serveMeasures({ calls: callRate(() => handler(payloadSent)) });
