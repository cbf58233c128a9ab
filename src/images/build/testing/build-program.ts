/** Builds in a data directory and tells each event on a line, so that a test can kill it in the middle. */
import { ScratchBuilder } from './scratch-builder.ts';
import { stepContainers } from './step-containers.ts';

const [, , directory, context, dockerfile] = process.argv as [string, string, string, string, string];
await using scratch = await ScratchBuilder.open(stepContainers, { directory });
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
