/** Builds in a data directory and tells each event on a line, so that a test can kill it in the middle. */
import { createSystemRandom } from '../../../base/system-random.ts';
import { createStepRunner } from '../../../containers/index.ts';
import { ScratchBuilder, SILENT } from './scratch-builder.ts';

const [, , directory, context, dockerfile] = process.argv as [string, string, string, string, string];
const random = createSystemRandom();
await using scratch = await ScratchBuilder.open(
  (own) =>
    createStepRunner({
      networks: undefined as never,
      random,
      logger: SILENT,
      directory: own,
      instance: random.hex(12),
    }),
  { directory },
);
await scratch.builder.build({
  context: { directory: context },
  dockerfile: { text: dockerfile, name: 'Dockerfile' },
  tags: ['killed'],
  buildArgs: {},
  labels: {},
  network: 'none',
  secrets: new Map([['token', Buffer.from('KILLED-SECRET')]]),
  onProgress: (event) => {
    if (event.kind === 'output') process.stdout.write(Buffer.from(event.bytes));
    else process.stdout.write(`${event.kind === 'step' ? `${event.state} ${event.step.text}` : event.kind}\n`);
  },
});
