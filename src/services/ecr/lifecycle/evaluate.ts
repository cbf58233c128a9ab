import { type ManifestInfo, tiedTo } from '../../../images/index.ts';
import { matchesWildcard } from '../mutability.ts';
import type { PreviewResult } from '../records.ts';
import type { LifecycleRule, Selection } from './policy.ts';

const DAY_MS = 24 * 3_600_000;

export interface Evaluation {
  /** Oldest first. */
  readonly expiring: readonly PreviewResult[];
  /** When the next image becomes too old, epoch ms; `undefined` when none will. */
  readonly next: number | undefined;
}

/**
 * Which images the rules delete now. Each image is judged by the first rule whose tags it fits, and by no other; rules that
 * count look at every image that they select, whichever rule judges it. What an index lists stays as long as the index, and what
 * is about an image (signatures, SBOMs) as long as that: neither is selected. Source: Amazon ECR User Guide, "Automate the cleanup of images
 * by using lifecycle policies in Amazon ECR", "Considerations for evaluating lifecycle policy".
 */
export function evaluate(rules: readonly LifecycleRule[], manifests: readonly ManifestInfo[], now: number): Evaluation {
  const images = selectable(manifests).sort((a, b) => b.pushedAt - a.pushedAt || compare(a, b));
  const expiring: PreviewResult[] = [];
  let next = Number.POSITIVE_INFINITY;
  const judged = new Set<ManifestInfo>();
  for (const { priority, selection } of rules) {
    const selected = images.filter((image) => isSelected(selection, image));
    for (const [i, image] of selected.entries()) {
      if (judged.has(image)) continue;
      judged.add(image);
      if (selection.countType === 'imageCountMoreThan') {
        if (i >= selection.countNumber) expiring.push(resultOf(image, priority));
        continue;
      }
      const since =
        selection.countType === 'sinceImagePulled' ? (image.lastPulledAt ?? image.pushedAt) : image.pushedAt;
      const due = since + selection.countNumber * DAY_MS;
      if (due <= now) expiring.push(resultOf(image, priority));
      else next = Math.min(next, due);
    }
  }
  expiring.sort((a, b) => a.pushedAt - b.pushedAt || (a.digest < b.digest ? -1 : 1));
  return { expiring, next: Number.isFinite(next) ? next : undefined };
}

/** All but what is part of, or about, another image of the repository. */
function selectable(manifests: readonly ManifestInfo[]): ManifestInfo[] {
  const present = new Set(manifests.map(({ descriptor }) => descriptor.digest));
  const beginnings = new Set([...present].map((digest) => digest.slice(0, digest.indexOf(':') + 65)));
  const listed = new Set(manifests.flatMap((manifest) => manifest.manifests));
  return manifests.filter(({ descriptor, subject, tags }) => {
    if (listed.has(descriptor.digest)) return false;
    if (subject !== undefined && present.has(subject)) return false;
    return tags.length === 0 || !tags.every((tag) => beginnings.has(tiedTo(tag) ?? ''));
  });
}

function isSelected({ tagStatus, patterns }: Selection, { tags }: ManifestInfo): boolean {
  if (tagStatus === 'any') return true;
  if (tagStatus === 'untagged') return tags.length === 0;
  return patterns.every((pattern) => tags.some((tag) => matchesWildcard(pattern, tag)));
}

function resultOf({ descriptor, tags, pushedAt }: ManifestInfo, priority: number): PreviewResult {
  return { digest: descriptor.digest, tags, pushedAt, priority };
}

/** Of images that were pushed at the same time, the order of digests decides, so that it lasts. */
function compare(a: ManifestInfo, b: ManifestInfo): number {
  return a.descriptor.digest < b.descriptor.digest ? -1 : 1;
}
