"""Lines of rsync as they are in scripts and answers: DEST, then the words before it."""

from __future__ import annotations

LINES = r"""
dest/                  -avi s1/
dest                   -ai s1/
dest                   -ai s1
dest/new               -ai s1/
dest/new/              -ai s1
dest/x                 -ai s1/a
dest/newname           -ai s1/a
dest/new/              -ai s1/a
dest/new/deep/name     -ai --mkpath s1/a
dest/new/deep/name/    -ai --mkpath s1/a
dest/newname           -ai s1/a s1/large
dest/b                 -ai s1/a
dest/l                 -ai s1/x/
dest/l/                -ai s1/x/
dest/l                 -ai s1/a
dest/l/                -ai s1/a
dest/dangling          -ai s1/a
dest/                  -ai -- s1/x s1/a
dest/                  -ai --delete -- s1/
dest/                  -rlptgoDi s1/
dest/                  -ahvPzi --delete s1/
dest/                  -aviO --no-o --no-g --no-p s1/
dest/                  -rtvi --no-perms --no-owner --no-group --delete --size-only s1/
dest/                  --delay-updates -F --compress --archive --no-perms --no-owner --no-group -i s1/
dest/                  --delay-updates -F --compress --archive --no-links --omit-link-times -i s1
dest/                  -prltvHSiB8192 --safe-links --chmod=D755,F644 --delete --delay-updates --max-delete=40000 s1/
dest/                  -aiE --no-p --chmod=a+x s1/
dest/                  -rtvi --delete s1/
dest/                  -rlti --chmod=F640 s1/
dest/                  -lts -r --delete -i s1/
dest/                  -rtvui s1
dest/                  -ai --no-p --link-dest=../other s1/
dest/                  -aHAXxvi --numeric-ids --delete s1/
dest/                  -aHAXSi --numeric-ids --delete --info=progress2 s1/
dest/                  -ai --delete --exclude=/x/* --exclude=/b s1/
dest/                  -aiz --delete --delete-excluded --exclude .hidden --exclude '*.o' s1/
dest/                  -ai --include='*/' --include='*.o' --exclude='*' s1/
dest/                  -aim --include='*/' --include='*.o' --exclude='*' s1/
dest/                  -ai --include='b/***' --exclude='*' s1/
dest/                  -ai --include='/b/' --include='/b/**' --exclude='*' --delete s1/
dest/                  -ai --include='+ x' --exclude='- *' s1/
dest/                  -ai --exclude='*' s1/
dest/                  -ai --exclude='*' --delete s1/
dest/                  -ai --exclude='*' --delete --delete-excluded s1/
dest/                  -ai -f'- *.o' -f'+ */' -f'- extra' --delete s1/
dest/                  -ai -f '+ b/' -f '+ b/c' -f '- b/*' -f 'P extra' --delete s1/
dest/                  -ai -f 'merge rules' --delete s1/
dest/                  -ai -f '. rules' --delete s1/
dest/                  -aiC s1/
dest/                  -aiC --delete s1/
dest/                  -ai -f :C --delete s1/
dest/                  -ai -f -C --delete s1/
dest/                  -aiF --delete s1/
dest/                  -aiFF --delete s1/
dest/                  -ai -F -F --delete-after s1
dest/                  -ai --filter='hide,! *.o' --filter='H x' s1/
dest/                  -ai --filter='exclude,s *.o' --delete s1/
dest/                  -ai --filter='-s *.o' --filter='-r extra' --delete s1/
dest/                  -ai --filter='-x user.*' -X s1/
dest/                  -ai --exclude-from=rules --delete s1/
dest/                  -ai --exclude-from rules --include-from incl s1/
dest/                  -ai --include-from=incl --exclude='*' s1/
dest/                  -ai0 --exclude-from=rules0 s1/
dest/                  -ai --files-from=list s1
dest/                  -ai0 --files-from=list0 s1
dest/                  -ai --from0 --files-from list0 .
dest/                  -ai --files-from=listmissing s1
dest/                  -ai --files-from=listmissing --ignore-missing-args s1
dest/                  -ai --files-from=listmissing --delete-missing-args s1
dest/                  -ai --files-from=list -r --delete s1
dest/                  -ai --files-from=list --exclude='*.o' s1
dest/                  -ai --files-from=list --existing s1
dest/                  -aiR s1/b/deep/c
dest/                  -aiR s1/./b/deep/c s1/./x/
dest/                  -aiR ./s1/b
dest/                  -aiR --delete s1/b/ s1/x/
dest/                  -aiR s1/l/
dest/                  -aiR s1/l
dest/                  -aiR --exclude=deep s1/b
dest/                  -aiR --exclude=/s1/b/deep s1/b
dest/                  -ai --delete s1/ --exclude='.*'
dest/                  -aiL s1/
dest/                  -aik s1/
dest/                  -ai --copy-unsafe-links s1/
dest/                  -ai --copy-unsafe-links s1
dest/                  -ai --safe-links s1/
dest/                  -ai --safe-links s1
dest/                  -aiL --safe-links s1/
dest/                  -aiK s1/
dest/                  -ail s1/l
dest/                  -aiL s1/l
dest/                  -aiS s1/
dest/                  -ai --preallocate s1/
dest/                  -ai --sparse --preallocate s1/
dest/                  -ai --delete --max-delete=1 s1/
dest/                  -ai --delete --max-delete=0 s1/
dest/                  -ai --max-delete=5 s1/
dest/                  -ai --delete --max-delete=-1 s1/
dest/                  -ai --delete --max-delete=100 s1/
dest/                  -ain --delete s1/
dest/                  -ain --delete --max-delete=1 s1/
dest/                  -ainv --delete-excluded --exclude='*.o' s1/
dest/                  -aib s1/
dest/                  -aib --delete s1/
dest/                  -aib --suffix=.2024-01-01 --delete s1/
dest/                  -ai --backup --backup-dir=../backup-2024-01-01_12:30 --delete s1/
dest/                  -ab -i --backup-dir=.trash --delete --exclude=.trash s1/
dest/                  -ab -i --backup-dir=.trash --delete --exclude=/.trash/ s1/
dest/                  -ab -i --backup-dir=../old --suffix=~ --delete s1/
dest/                  -ai --backup-dir=../old --delete s1/
dest/                  -ai --partial-dir=.rsync-partial --delete s1/
dest/                  -aiP s1/
dest/                  -ai --bwlimit=1000 s1/
dest/                  -ai --bwlimit=1m s1/
dest/                  -ai --bwlimit=1.5M s1/
dest/                  -ai --bwlimit=10MB s1/
dest/                  -ai --bwlimit=100KiB s1/
dest/                  -ai --bwlimit=0 s1/
dest/                  -ai --bwlimit=2g s1/
dest/                  -ai --max-size=1K s1/
dest/                  -ai --max-size=2999 s1/
dest/                  -ai --max-size=3kb-1 s1/
dest/                  -ai --min-size=1 s1/
dest/                  -ai --min-size 1k --max-size 1M s1/
dest/                  -ai --delete --max-size=1 s1/
dest/                  -ai --chmod=D755,F644 s1/
dest/                  -ai --chmod=Du=rwx,Dgo=rx,Fu=rw,Fgo=r s1/
dest/                  -ai --chmod=u=rwX,go=rX s1/
dest/                  -ai --chmod=ugo=rwX s1/
dest/                  -ai --chmod=a+rX,u+w s1/
dest/                  -ai --chmod=D2775,F664 s1/
dest/                  -ai --chmod=Dg+s,ug+w,Fo-w,+X s1/
dest/                  -ai --chmod=go= s1/
dest/                  -ai --chmod=0644 s1/a
dest/                  -ai --chmod=F600 --chmod=D700 s1/
dest/                  -ai --chmod=o+t s1/
dest/                  -ai --chmod=g=u s1/
dest/                  -ai --chmod=u+x,g-x,o=r s1/
dest/                  -ai --chown=daemon:bin s1/
dest/                  -ai --chown=1000 s1/
dest/                  -ai --chown=:1000 s1/
dest/                  -ai --chown=nobody: s1/
dest/                  -ai --usermap=root:daemon --groupmap=root:bin s1/
dest/                  -ai --usermap=0-10:1000,*:33 s1/
dest/                  -ai --usermap='*:1234' s1/
dest/                  -aic s1/
dest/                  -aic --delete s1/
dest/                  -ai --checksum --cc=md5 s1/
dest/                  -ai --size-only --delete s1/
dest/                  -aiI s1/
dest/                  -aiu s1/
dest/                  -aiu --delete s1/
dest/                  -ai --modify-window=100 s1/
dest/                  -ai --modify-window=3600 s1/
dest/                  -ai --existing s1/
dest/                  -ai --ignore-existing s1/
dest/                  -ai --ignore-existing --delete s1/
dest/                  -ai --existing --ignore-existing --delete s1/
dest/                  -aiO s1/
dest/                  -ai --delete --force s1/
dest/                  -ai --del --ignore-errors s1/
dest/                  -ai --delete-delay s1/
dest/                  -ai --delete-before s1/
dest/                  -ai --delete-after s1/
dest/                  -ai --delete --delete-after s1/
dest/                  -ai s1/ nosuch s2/
dest/                  -ai --delete s1/ nosuch
dest/                  -ai --ignore-missing-args s1/ nosuch
dest/                  -ai s1/ s2/ s1/x
dest/                  -ai s1 s2 s1/a
dest/                  -ai --delete s1 s2
dest/                  -ai --delete s1/b s2/z
dest/                  -ai s1/x/ s1/b/
dest/                  -ai s1//
dest/                  -ai ./s1/.
dest/                  -ai s1/./
dest/                  -ai s1/b/..
dest/                  -ai s1/b/../
dest/                  -ai s1/e
dest/                  -ai s1/e/
dest/                  -aix s1/
dest/                  -aiW --no-compress s1/
dest/                  -aizz s1/
dest/                  -ai -zz --compress-level=9 s1/
dest/                  -ai --compress-choice=zstd s1/
dest/                  -ai --zc=none s1/
dest/                  -ai --timeout=30 --contimeout=10 s1/
dest/                  -ai --link-dest=../other s1/
dest/new/              -ai --link-dest=../../other s1/
dest/new               -ai --link-dest=../../other s1/
dest/                  -ai --link-dest=../nosuch s1/
dest/                  -ai --compare-dest=../other s1/
dest/                  -ai --copy-dest=../other s1/
dest/                  -aiH s1/
dest/                  -aiH --link-dest=../other s1/
dest/                  -a --no-i s1/
dest/                  -ai --no-D s1/
dest/                  -aizP --partial-dir=.rsync-partial --delete-after --timeout=600 --exclude=*.o s1/
dest/                  -aHi --delete --delete-excluded --exclude-from=rules --backup --backup-dir=../inc/2024-12-01 s1/
dest/                  -aiu --existing --delete s1/
dest/                  -ai --ignore-times --checksum s1/
dest/                  -ai --include=/x/ --include=/x/** --exclude=* s1/
dest/                  -ai --include=*.o --exclude=b/* s1/
dest/                  -ai --exclude=b/** s1/
dest/                  -ai --exclude=/b/*/ s1/
dest/                  -ai --exclude=**/deep s1/
dest/                  -ai --exclude=deep/ --delete s1/
dest/                  -ai --exclude=*/c s1/
dest/                  -ai --exclude=s1/b s1
dest/                  -ai --exclude=/s1/b s1
dest/                  -ai --exclude=/b s1
dest/                  -ai --exclude=[a-c]* s1/
dest/                  -ai --exclude=[!a-c]* s1/
dest/                  -ai --exclude='\*.o' s1/
dest/                  -ai --exclude=? s1/
dest/                  -ai --exclude='.[!.]*' s1/
dest/                  -ai --exclude= s1/
dest/                  -ai --exclude=/ s1/
dest/                  -ai --exclude=. s1/
dest/                  -ai --exclude=./b s1/
dest/                  -ai --exclude='# x' s1/
dest/                  -ai --exclude='!' --exclude=b s1/
dest/                  -ai --exclude=b --filter='!' s1/
dest/                  -ai --filter='- *.o' --filter='+ /b/***' --filter='- /*' s1/
dest/                  -ai --filter='protect extra' --delete s1/
dest/                  -ai --filter='risk extra/' --exclude=extra --delete s1/
dest/                  -ai --filter='R extra' --filter='P *' --delete s1/
dest/                  -ai --filter='show a' --filter='hide *' s1/
dest/                  -ai --filter='S b' --filter='H *' --delete s1/
dest/                  -ai --filter='dir-merge .rsync-filter' s1/
dest/                  -ai --filter=': .rsync-filter' --filter='- .rsync-filter' --delete-excluded --delete s1/
dest/                  -ai --filter=':n .rsync-filter' s1/
dest/                  -ai --filter=':e .rsync-filter' s1/
dest/                  -ai --filter=':w- .cvsignore' s1/
dest/                  -ai --filter='merge,- rules' s1/
dest/                  -aiFC s1/
dest/                  -ai --cvs-exclude --delete --delete-excluded s1/
dest/                  -ai --exclude-from=/dev/null s1/
dest/                  -ai --include-from=rules --exclude-from=incl s1/
dest/                  -ai --files-from=list --exclude=b s1/
dest/                  -ai --files-from=list --delete s1/
dest/                  -air --files-from=list --delete --force s1/
dest/                  -ai --files-from=list --prune-empty-dirs s1
dest/                  -ai --files-from=list --dry-run s1
dest/                  -ai --files-from=list -c s1
dest/                  -ai --files-from=list --backup s1
dest/                  -aiL --files-from=list s1
dest/                  -ai --files-from=list --max-size=1k s1
dest/                  -ai --files-from=list --size-only s1
dest/                  -aiH --files-from=list s1
dest/new/              -ai --files-from=list s1
dest/new/              -aiR s1/b/c
dest/new               -aiR s1/b/c
dest/                  -aiR -r s1/x s2/z
dest/                  -aiR s1/./
dest/                  -aiR s1/.
dest/                  -aiR s1//b//c
dest/                  -aiR ././s1/./b/c
dest/                  -aiR --delete s1/./b/
dest/                  -aiR --exclude=*.o s1/./b s1/./x
dest/                  -aiR s1/a nosuch/x
dest/                  -aiR s1/nosuch/x s1/a
dest/                  -aiR --ignore-missing-args s1/nosuch/x s1/a
dest/                  -aiRm s1/b s1/e
dest/                  -aiRO s1/b
dest/                  -aiRk s1/l
dest/                  -aiRL s1/l
dest/                  -ai s1/dangling
dest/                  -aiL s1/dangling
dest/                  -aiL s1/dangling s1/a
dest/                  -ai --copy-unsafe-links -k s1/
dest/                  -ai --safe-links --delete s1/
dest/                  -ai --keep-dirlinks --delete s1/
dest/x                 -ai --delete s2/
dest/a                 -ai s1/large
dest/a                 -aib s1/large
dest/a                 -ai --ignore-existing s1/large
dest/a                 -ai --existing s1/large
dest/nn                -ai --existing s1/large
dest/nn                -ai --inplace s1/large
dest/nn                -ain s1/large
dest/nn                -ai --chmod=600 s1/large
dest/nn                -ai --chmod=F640 --chown=1:1 s1/large
dest/nn                -aiL s1/l
dest/nn                -ai s1/l
dest/nn                -aiH s1/b/c s1/x/hard
dest/nn/               -aiH s1/b/c s1/x/hard
dest/nn                -ai --max-size=10 s1/large
dest/nn                -ai --backup-dir=../old s1/large
dest/                  -ai --backup --suffix= --backup-dir=../old s1/
dest/                  -aib --suffix=.bak --exclude=*.bak --delete s1/
dest/                  -aib --backup-dir=../old --delete --max-delete=2 s1/
dest/new/              -ai --copy-dest=../../other --delete s1/
dest/new/              -ai --compare-dest=../../other s1/
dest/new/              -aiH --link-dest=../../other --link-dest=../../nosuch s1/
dest/new/              -aic --link-dest=../../other s1/
dest/new/              -ai --link-dest=../../other --chmod=F600 s1/
dest/                  -ai --size-only --link-dest=../other s1/
dest/                  -ai --max-size=1kib s1/
dest/                  -ai --max-size=1m --min-size=1 s1/
dest/                  -ai --max-size=5000 s1/
dest/                  -ai --max-size=5000-1 s1/
dest/                  -ai --max-size=0.005MB s1/
dest/                  -ai --min-size=4.9K s1/
dest/                  -ai --bwlimit=1000k s1/
dest/                  -ai --bwlimit=0.5m s1/
dest/                  -ai --bwlimit=1.5gb s1/
dest/                  -ai --bwlimit=1t s1/
dest/                  -ai --block-size=700 --no-W s1/
dest/                  -ai -B 4096 s1/
dest/                  -ai --checksum-seed=7 s1/
dest/                  -ai --checksum-choice=xxh3 -c s1/
dest/                  -ai --max-alloc=1g s1/
dest/                  -ai --outbuf=L s1/
dest/                  -ai --stderr=e s1/
dest/                  -ai --stop-after=1 s1/
dest/                  -ai --time-limit=1 s1/
dest/                  -ai8 s1/
dest/                  -ai --protect-args s1/
dest/                  -ais s1/
dest/                  -aiN s1/
dest/                  -ai --password-file=x s1/
dest/                  -ai --numeric-ids --usermap=:1 s1/
dest/                  -ai --groupmap=bin:daemon --chown=x: s1/
dest/                  -ai --chown=nosuchuser s1/
dest/                  -ai --chown=daemon s1/ s2
dest/                  -ai --chmod=Du=rwx,go=rx,Fu=rw,go=r s1/
dest/                  -ai --chmod=u=g,g+s s1/
dest/                  -ai --chmod=D+t,Fo= s1/
dest/                  -ai --chmod=+x s1/
dest/                  -ai --chmod=-x s1/
dest/                  -ai --chmod=a-s s1/
dest/                  -ai --chmod=7777 s1/
dest/                  -ai --chmod=D0755,F0644 s1/
dest/                  -ai --chmod=u+rwx,g+rx,g-w,o= s1/
dest/                  -ai --chmod=u+X s1/
dest/                  -ai --chmod=rw s1/
dest/                  -ai --chmod=F-x,D+x s1/ --delete
dest/                  -aE -i s1/
dest/                  -ai --executability s1/
dest/                  -a -i -A -X -N s1/
dest/                  -aXAi --xattrs s1/
dest/                  -ai --delete s1/ --dry-run --verbose
dest/                  s1/ -ai --delete
dest/                  -ai s1/ --exclude b --exclude=x
dest/                  -ai s1/a -- s1/large
dest/                  --archive --itemize-changes --recursive --links --times --group --owner --perms s1/
dest/                  --arch --item s1/
dest/                  --itemize --archive --del s1/
dest/                  -ai --delete=yes s1/
dest/                  -ai --exclud=b s1/
dest/                  -ai --bwlimit 100 s1/
dest/                  -aivvv s1/a
dest/                  -aihhh s1/
dest/                  -ai -f'- b' s1/
dest/                  -aif '- b' s1/
dest/                  -aie local s1/
dest/                  -ai -@1 s1/
dest/                  -ai -@-1 s1/
dest/                  -ai --modify-window=-1 s1/
"""
