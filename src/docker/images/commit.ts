import { ServiceError } from '../../base/errors.ts';
import { type ContainerConfig, containerConfigObject } from '../containers/config-shape.ts';
import { type Answer, type Call, json } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';
import { withTag } from './transfer.ts';

/** "Create a new image from a container". */
export async function imageCommit(call: Call): Promise<Answer> {
  const { host, query } = call;
  const config = await call.optionalJson(containerConfigObject);
  const container = query.text('container');
  if (container === '') throw new ServiceError('NotFound', 'No such container: ', { status: 404 });
  const [repository, tag] = [query.text('repo'), query.text('tag')];
  if (repository === '' && tag !== '') throw invalid('invalid reference format: a tag needs a repository');
  const changes = query
    .list('changes')
    .flatMap((list) => list.split('\n'))
    .filter((line) => line.trim() !== '');
  const engine = await host.engine();
  const [author, comment] = [query.text('author'), query.text('comment')];
  const image = await engine.commit(container, {
    ...(repository === '' ? {} : { reference: withTag(repository, tag) }),
    ...(author === '' ? {} : { author }),
    ...(comment === '' ? {} : { comment }),
    changes: [...(config === undefined ? [] : instructionsOf(config)), ...changes],
    // Since 1.13 a container is paused unless that is not wanted.
    pause: query.flag('pause', true),
  });
  return json({ Id: image.id }, 201);
}

/** A configuration that replaces the container's, as instructions of a Dockerfile that say the same. */
function instructionsOf(config: ContainerConfig): string[] {
  const quoted = (words: readonly string[]) => JSON.stringify(words);
  const pair = (text: string) => {
    const at = text.indexOf('=');
    return at < 0 ? `${text}=""` : `${text.slice(0, at)}=${JSON.stringify(text.slice(at + 1)).replaceAll('$', '\\$')}`;
  };
  return [
    ...(config.User === '' ? [] : [`USER ${config.User}`]),
    ...(config.WorkingDir === '' ? [] : [`WORKDIR ${config.WorkingDir}`]),
    ...(config.StopSignal === '' ? [] : [`STOPSIGNAL ${config.StopSignal}`]),
    ...(config.Env ?? []).map((variable) => `ENV ${pair(variable)}`),
    ...Object.entries(config.Labels ?? {}).map(
      ([name, value]) => `LABEL ${JSON.stringify(name)}=${JSON.stringify(value).replaceAll('$', '\\$')}`,
    ),
    ...Object.keys(config.ExposedPorts ?? {}).map((port) => `EXPOSE ${port}`),
    ...Object.keys(config.Volumes ?? {}).map((path) => `VOLUME ${quoted([path])}`),
    ...(config.Entrypoint?.length ? [`ENTRYPOINT ${quoted(config.Entrypoint)}`] : []),
    ...(config.Cmd?.length ? [`CMD ${quoted(config.Cmd)}`] : []),
    ...(config.OnBuild ?? []).map((instruction) => `ONBUILD ${instruction}`),
  ];
}
