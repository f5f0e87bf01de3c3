// Everything that a user does, once per arrival: health by its body, a document pasted and found, a question answered.

import * as app from './lib/app.js';

export { options } from './lib/plan.js';
export { handleSummary } from './lib/summary.js';

export function smoke() {
  app.chooseInTurn();
  for (const service of ['ingest', 'agents']) {
    app.isWell(service);
  }
  const text = `The ${app.uniqueWord('smoke')} report says that the smoke run went through.`;
  const document = app.paste(text);
  if (!document) return;
  if (app.waitForIngest(document)) app.searchFinds(text);
  app.removeDocument(document);
  const job = app.startJob(text);
  if (!job) return;
  app.waitForJob(job);
  app.removeJob(job);
}
