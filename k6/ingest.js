// Documents arrive at a constant rate; each is followed until the worker is done with it, and removed.
//
//   k6 run -e ACP_INGEST_URL=https://host:8000 [-e ACP_RATE=5 -e ACP_DURATION_SECONDS=30 -e ACP_P95_MS=500] k6/ingest.js

import { address, constantRate, number } from './lib/config.js';
import * as app from './lib/app.js';
import { summaryOf } from './lib/summary.js';

const INGEST = address('ACP_INGEST_URL');
const TIMEOUT_SECONDS = number('ACP_TIMEOUT_SECONDS', 60);
const SENTENCE = 'Revenue rose in the north, fell in the south, and the analysts disagree about the reasons. ';

export const options = constantRate({
  rate: number('ACP_RATE', 5),
  durationSeconds: number('ACP_DURATION_SECONDS', 30),
  iterationSeconds: 3,
  requestsPerIteration: 3,
  p95Ms: number('ACP_P95_MS', 500),
});

export default function ingest() {
  const document = app.paste(INGEST, `${app.uniqueWord('ingest')} ${SENTENCE.repeat(40)}`);
  if (!document) return;
  app.waitForIngest(INGEST, document, TIMEOUT_SECONDS);
  app.removeDocument(INGEST, document);
}

export const handleSummary = summaryOf('ingest');
