/**
 * How many programs there are with `operations` operations out of `kinds` different ones, on up to `cpus` CPUs: multisets
 * of lists, since the names of CPUs do not matter. Exact up to 2⁵³.
 */
export function countPrograms(kinds: number, operations: number, cpus: number): number {
  return countLists(kinds, operations, operations, cpus);
}

/** The same with no list longer than `longest`. */
function countLists(kinds: number, operations: number, longest: number, cpus: number): number {
  if (operations === 0) return 1;
  if (longest === 0 || cpus === 0) return 0;
  let sum = 0;
  for (let lists = 0; lists <= cpus && lists * longest <= operations; lists++)
    sum +=
      multisets(kinds ** longest, lists) * countLists(kinds, operations - lists * longest, longest - 1, cpus - lists);
  return sum;
}

/** Ways to choose `size` of `kinds` things, each as often as wanted. */
function multisets(kinds: number, size: number): number {
  let ways = 1;
  for (let at = 1; at <= size; at++) ways = (ways * (kinds + at - 1)) / at;
  return ways;
}
