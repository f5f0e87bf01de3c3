// Documents arrive; each is followed until the worker is done with it, and removed.

import * as app from './lib/app.js';

export { options } from './lib/plan.js';
export { handleSummary } from './lib/summary.js';

const SENTENCE = 'Revenue rose in the north, fell in the south, and the analysts disagree about the reasons. ';

export function ingest() {
  app.chooseInTurn();
  const document = app.paste(`${app.uniqueWord('ingest')} ${SENTENCE.repeat(40)}`);
  if (!document) return;
  app.waitForIngest(document);
  app.removeDocument(document);
}
