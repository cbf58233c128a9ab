import { type Filters, splitOnce } from '../shapes/filters.ts';
import type { DockerEvent } from './event-history.ts';

export const EVENT_FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

/** Whether an event is among those that were asked for. Source: "Monitor events", filters. */
export function matchesEvent(event: DockerEvent, filters: Filters): boolean {
  return (
    filters.some('type', (type) => type === event.Type) &&
    filters.some('scope', (scope) => scope === event.scope) &&
    filters.some('event', (action) => action === event.Action || event.Action.startsWith(`${action}:`)) &&
    filters.matchLabels(event.Actor.Attributes) &&
    ACTORS.every((type) => filters.some(type, (wanted) => isActor(event, type, wanted))) &&
    filters.some('image', (wanted) => isOfImage(event, wanted))
  );
}

const ACTORS = ['container', 'network', 'volume', 'plugin', 'daemon', 'node', 'service', 'secret', 'config'];

function isActor({ Type, Actor }: DockerEvent, type: string, wanted: string): boolean {
  // Networks tell which container they connected.
  if (type === 'container' && Type === 'network') return fits(wanted, Actor.Attributes.container, undefined);
  return Type === type && fits(wanted, Actor.ID, Actor.Attributes.name);
}

function fits(wanted: string, id: string | undefined, name: string | undefined): boolean {
  return wanted !== '' && (name === wanted || id === wanted || (id?.startsWith(wanted) ?? false));
}

/** An image's own events, and those of its containers; with or without the tag. */
function isOfImage({ Type, Actor }: DockerEvent, wanted: string): boolean {
  const names =
    Type === 'image' ? [Actor.ID, Actor.Attributes.name] : Type === 'container' ? [Actor.Attributes.image] : [];
  return names.some((name) => name !== undefined && (name === wanted || withoutTag(name) === wanted));
}

function withoutTag(name: string): string {
  const at = name.lastIndexOf('/') + 1;
  return name.slice(0, at) + splitOnce(splitOnce(name.slice(at), '@')[0], ':')[0];
}
