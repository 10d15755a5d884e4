/*
 * The canonical workload for SPIN: the same atomic steps as asid-share.ts, one transition each.
 *
 * Parameters: -DDEVICES=3 -DDMAS=3 -DPAGES=2, -DLOCKED for the version whose unmap takes the lock.
 * Locals are kept and cleared where a task's results are: to the end of a page's unmap, of a DMA, of bind. So states are the same.
 * A process that is done stays at a valid end state, because SPIN's own process termination would add transitions.
 */
#define OLD 1
#define NEW 2
#define PRIVATE 1
#define PROCESS 2
#define ALL_PAGES ((1 << PAGES) - 1)

byte lock;
byte owner = PRIVATE;
byte fresh;
byte domain_asid = OLD;
byte cd[DEVICES] = OLD;
byte pte[PAGES] = 1;
byte freed[PAGES];
byte tlb[3];
byte walk_asid[DEVICES];
byte walk_page[DEVICES];

inline tlbi(asid, mask) {
  tlb[asid] = tlb[asid] & ~(mask);
  d = 0;
  do
  :: d < DEVICES ->
    if
    :: walk_asid[d] == asid && ((mask) & (1 << walk_page[d])) -> walk_asid[d] = 0; walk_page[d] = 0
    :: else
    fi;
    d++
  :: else -> break
  od;
  d = 0
}

active proctype bind() {
  byte d;
  byte entry;
  d_step { lock == 0 -> lock = 1 };
  d_step { owner == PRIVATE -> skip };
  fresh = NEW;
  domain_asid = NEW;
  do
  :: d_step { entry < DEVICES - 1 -> cd[entry] = NEW; entry++ }
  :: d_step { entry == DEVICES - 1 -> cd[entry] = NEW; entry = 0 } -> break
  od;
  skip;
  d_step { tlbi(OLD, ALL_PAGES) };
  owner = PROCESS;
  lock = 0;
end:
  false
}

active proctype unmap() {
  byte page;
  byte asid;
  byte d;
end:
  do
  :: d_step { page < PAGES -> pte[page] = 0 };
#ifdef LOCKED
    d_step { lock == 0 -> lock = 2 };
#endif
    asid = domain_asid;
    d_step { tlbi(asid, 1 << page) };
    skip;
#ifdef LOCKED
    lock = 0;
#endif
    d_step { freed[page] = 1; page++; asid = 0 }
  od
}

active [DEVICES] proctype device() {
  byte dma;
  byte asid;
  byte was_freed;
#define ME (_pid - 2)
#define PAGE ((ME + dma) % PAGES)
#define DONE dma++; asid = 0; was_freed = 0
end:
  do
  :: d_step { dma < DMAS -> asid = cd[ME]; was_freed = freed[PAGE] };
    if
    :: d_step { tlb[asid] & (1 << PAGE) ->
        assert(was_freed == 0);
        DONE }
    :: d_step { !(tlb[asid] & (1 << PAGE)) -> skip };
      if
      :: d_step { pte[PAGE] == 0 -> DONE }
      :: d_step { pte[PAGE] != 0 -> walk_asid[ME] = asid; walk_page[ME] = PAGE };
        d_step {
          if
          :: walk_asid[ME] != 0 ->
            tlb[walk_asid[ME]] = tlb[walk_asid[ME]] | (1 << walk_page[ME]);
            walk_asid[ME] = 0;
            walk_page[ME] = 0
          :: else
          fi;
          DONE }
      fi
    fi
  od
}
