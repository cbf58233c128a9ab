import { ServiceError } from '../../base/errors.ts';
import { changeConfig, type ImageConfig, type TransferOptions } from '../../images/index.ts';
import { fetchRemote } from '../build/remote.ts';
import { jsonStream, type Say } from '../server/json-stream.ts';
import { readRegistryAuth } from '../server/registry-auth.ts';
import { piecesOf } from '../server/request-body.ts';
import type { Answer, Call } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';
import { checkPlatform, readPlatform } from './platform.ts';
import { progressJson } from './progress.ts';

/** "Create an image": a pull, or an import of a file system. */
export async function imageCreate(call: Call): Promise<Answer> {
  const from = call.query.text('fromImage');
  return from === '' ? imageImport(call) : imagePull(call, from);
}

async function imagePull(call: Call, from: string): Promise<Answer> {
  const { host, query, request } = call;
  const auth = readRegistryAuth(request.headers['x-registry-auth']);
  const platform = readPlatform(query.text('platform'));
  const images = await host.images();
  const reference = withTag(from, query.text('tag'));
  return jsonStream(call, async (say, signal) => {
    const options: TransferOptions = {
      ...(auth === undefined ? {} : { auth }),
      ...(platform === undefined ? {} : { platform }),
      onProgress: (progress) => say(progressJson(progress)),
      signal,
    };
    try {
      // A repository without a tag means all that it has. Source: "Create an image", tag.
      const isOne = /[:@][^/]*$/.test(reference);
      const tags = isOne ? [] : await images.remoteTags(reference, options);
      for (const one of isOne ? [reference] : tags.map((tag) => `${reference}:${tag}`)) await images.pull(one, options);
    } catch (error) {
      throw toPullError(error, from);
    }
  });
}

/**
 * A registry that does not let a client in is told as dockerd does, as something that is not there: at 401 Docker's client would ask for a
 * password, and wait where nobody is.
 */
function toPullError(error: unknown, name: string): unknown {
  if (!(error instanceof ServiceError) || (error.status !== 401 && error.status !== 403)) return error;
  const message = error.message.startsWith('access denied for ')
    ? `pull ${error.message}`
    : `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`;
  return new ServiceError('PullAccessDenied', message, { status: 404, cause: error });
}

/** What is called a tag may be a digest. */
export function withTag(name: string, tag: string): string {
  if (tag === '') return name;
  return /^sha(?:256|512):/.test(tag) ? `${name.replace(/:[^:/]*$/, '')}@${tag}` : `${name}:${tag}`;
}

async function imageImport(call: Call): Promise<Answer> {
  const { host, query, request } = call;
  const [source, repository] = [query.text('fromSrc'), query.text('repo')];
  if (source === '') throw invalid('one of fromImage and fromSrc must be given');
  const platform = readPlatform(query.text('platform'));
  const changes = query.list('changes').filter((change) => change.trim() !== '');
  const empty: ImageConfig = { architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [] } };
  const { config = {} } = changeConfig(empty, changes);
  const images = await host.images();
  return jsonStream(call, async (say, signal) => {
    const archive = source === '-' ? piecesOf(request) : await fetchArchive(source, say, signal);
    const message = query.text('message');
    const image = await images.import(archive, {
      config: { ...platform, config },
      ...(message === '' ? {} : { message }),
      ...(repository === '' ? {} : { reference: withTag(repository, query.text('tag')) }),
    });
    say({ status: image.id });
  });
}

async function fetchArchive(source: string, say: Say, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const url = /^https?:\/\//.test(source) ? source : `http://${source}`;
  say({ status: 'Downloading from', progressDetail: {}, id: url });
  return (await fetchRemote(url, signal)).body;
}

export async function imagePush(call: Call): Promise<Answer> {
  const { host, query, request, parameters } = call;
  const auth = readRegistryAuth(request.headers['x-registry-auth']);
  const platform = readPlatform(query.text('platform'));
  const images = await host.images();
  const tag = query.text('tag');
  const name = withTag(parameters.name!, tag);
  const all = tag === '' && !/[:@][^/]*$/.test(parameters.name!);
  return jsonStream(call, async (say, signal) => {
    const pushed = await images.push(name, {
      ...(auth === undefined ? {} : { auth }),
      ...(platform === undefined ? {} : { platform }),
      allTags: all,
      onProgress: (progress) => say(progressJson(progress)),
      signal,
    });
    for (const { tag: pushedTag, digest, size } of pushed) {
      say({ status: `${pushedTag}: digest: ${digest} size: ${size}` });
      say({ progressDetail: {}, aux: { Tag: pushedTag, Digest: digest, Size: size } });
    }
  });
}

export async function imageGet(call: Call): Promise<Answer> {
  return save(call, [call.parameters.name!]);
}

export async function imageGetAll(call: Call): Promise<Answer> {
  const names = call.query
    .list('names')
    .flatMap((list) => list.split(','))
    .filter((name) => name !== '');
  if (names.length === 0) throw invalid('no image is named');
  return save(call, names);
}

async function save(call: Call, names: readonly string[]): Promise<Answer> {
  const images = await call.host.images();
  const platform = call.query.text('platform');
  if (platform !== '') {
    for (const name of names) checkPlatform(platform, name, (await images.get(name)).config);
  }
  const source = await images.save(names);
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/x-tar' }, source };
}

export async function imageLoad(call: Call): Promise<Answer> {
  const { host, query, request } = call;
  const platform = readPlatform(query.text('platform'));
  const quiet = query.flag('quiet');
  const images = await host.images();
  return jsonStream(call, async (say) => {
    const names = await images.load(piecesOf(request), {
      ...(platform === undefined ? {} : { platform }),
      ...(quiet ? {} : { onProgress: (progress) => say(progressJson(progress)) }),
    });
    for (const name of names) {
      say({ stream: name.startsWith('sha256:') ? `Loaded image ID: ${name}\n` : `Loaded image: ${name}\n` });
    }
  });
}

/** What is at a registry under a name, without pulling it. */
export async function distributionInspect(call: Call): Promise<Answer> {
  const auth = readRegistryAuth(call.request.headers['x-registry-auth']);
  const images = await call.host.images();
  const options = { ...(auth === undefined ? {} : { auth }), signal: call.gone };
  const { descriptor, platforms } = await images.inspectRemote(call.parameters.name!, options);
  return { kind: 'json', status: 200, body: { Descriptor: descriptor, Platforms: platforms } };
}
