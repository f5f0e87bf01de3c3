// Searches arrive; every one must find the document that it asks for, one of ten that were made before.

import exec from 'k6/execution';
import * as app from './lib/app.js';
import { plan, runs } from './lib/plan.js';

export { options } from './lib/plan.js';
export { handleSummary } from './lib/summary.js';

const DOCUMENTS = 10;

function prepare(host) {
  app.choose(host);
  const made = [];
  for (let index = 0; index < DOCUMENTS; index += 1) {
    const text = `The ${app.uniqueWord('search')} file has figures on market number ${index}.`;
    const id = app.paste(text);
    if (id) made.push({ id, text, host });
  }
  const ready = made.filter((document) => app.waitForIngest(document.id));
  return { made, isComplete: ready.length === DOCUMENTS };
}

export function setup() {
  if (!runs('search')) return [];
  const parts = plan.addresses.ingest.map((_, host) => prepare(host));
  const documents = parts.flatMap((part) => part.made);
  if (!parts.every((part) => part.isComplete)) {
    teardown(documents);
    exec.test.abort('the documents to search for could not be made');
  }
  return documents;
}

export function search(documents) {
  const document = documents[exec.scenario.iterationInTest % documents.length];
  app.choose(document.host);
  app.searchFinds(document.text);
}

export function teardown(documents) {
  for (const document of documents) {
    app.choose(document.host);
    app.removeDocument(document.id);
  }
}
