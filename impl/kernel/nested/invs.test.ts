import { expect, test } from 'vitest';
import { INV_TYPE, mergeInvs, unrefInvs, type Inv, type Invs } from './invs.ts';

const inv = (type: Inv['type'], id: number, ssid = 0): Inv => ({ type, id, ssid });
const { S1_ASID, ATS } = INV_TYPE;
const ALL = [inv(S1_ASID, 1), inv(S1_ASID, 2), inv(ATS, 1, 1), inv(ATS, 1, 2), inv(ATS, 2, 1)];

test('a set has one order, whatever the order in which its entries came', () => {
  const once = ALL.map((each) => ({ ...each, users: 1 }));
  for (let first = 0; first < ALL.length; first++) {
    const turned = [...ALL.slice(first), ...ALL.slice(0, first)];
    expect(mergeInvs([], turned)).toEqual(once);
    expect(turned.toReversed().reduce<Invs>((set, each) => mergeInvs(set, [each]), [])).toEqual(once);
  }
});

test('an entry stays until nobody uses it', () => {
  const [one, other] = [ALL.slice(0, 2), ALL.slice(1, 4)];
  const both = mergeInvs(mergeInvs([], one), other);
  expect(both.map(({ users }) => users)).toEqual([1, 2, 1, 1]);
  expect(unrefInvs(both, other)).toMatchObject({ left: one, unused: [ALL[2], ALL[3]] });
});
