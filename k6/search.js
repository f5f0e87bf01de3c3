// Searches arrive at a constant rate; every one must find the document that it asks for.
//
//   k6 run -e ACP_INGEST_URL=https://host:8000 [-e ACP_RATE=50 -e ACP_DURATION_SECONDS=30 -e ACP_P95_MS=200] k6/search.js

import exec from 'k6/execution';
import { address, constantRate, number } from './lib/config.js';
import * as app from './lib/app.js';
import { summaryOf } from './lib/summary.js';

const INGEST = address('ACP_INGEST_URL');
const TIMEOUT_SECONDS = number('ACP_TIMEOUT_SECONDS', 60);
const DOCUMENTS = 10;

export const options = constantRate({
  rate: number('ACP_RATE', 50),
  durationSeconds: number('ACP_DURATION_SECONDS', 30),
  iterationSeconds: 0.3,
  requestsPerIteration: 1,
  p95Ms: number('ACP_P95_MS', 200),
});

export function setup() {
  const documents = [];
  for (let index = 0; index < DOCUMENTS; index += 1) {
    const text = `The ${app.uniqueWord('search')} file has figures on market number ${index}.`;
    const id = app.paste(INGEST, text);
    if (id) documents.push({ id, text });
  }
  for (const document of documents) app.waitForIngest(INGEST, document.id, TIMEOUT_SECONDS);
  if (documents.length < DOCUMENTS) exec.test.abort('the documents to search for could not be made');
  return documents;
}

export default function search(documents) {
  app.searchFinds(INGEST, documents[exec.scenario.iterationInTest % documents.length].text);
}

export function teardown(documents) {
  for (const document of documents) app.removeDocument(INGEST, document.id);
}

export const handleSummary = summaryOf('search');
