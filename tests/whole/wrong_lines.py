"""Wrong command lines, each with the status and a part of the sentence that tell what is wrong."""

from __future__ import annotations

SYNC = "mrsync -m a -r local -s src -t out/{host}"

# status, command line, part of the sentence; a line that begins with ... goes on behind SYNC
LINES = """
1  mrsync                                        | give SOURCE TARGETS:DEST, or -m TARGETS -s SOURCE
1  mrsync -m a                                   | SOURCE is missing
1  mrsync -s src                                 | TARGETS is missing
1  mrsync src                                    | give SOURCE TARGETS:DEST
1  mrsync src dest                               | give SOURCE TARGETS:DEST
1  mrsync --del src a:                           | DEST . is a home directory
1  mrsync src :dest                              | TARGETS is missing
1  mrsync src a::module                          | a::module
1  mrsync src rsync://a/module                   | rsync://a/module
1  mrsync a:/src dest                            | a:/src is on another host
1  mrsync a:/src b:/dest                         | a:/src is on another host
1  mrsync src a:/d b:/d                          | a:/d and b:/d: list all targets
3  mrsync -a nosuch/ a:/d                        | nosuch/
1  mrsync -m a src a:/d                          | with -m, -s or -t
1  mrsync -m , -s src                            | no target in ','
1  mrsync -m a -m , -s src                       | no target in ','
1  mrsync -m a -m '' -s src                      | TARGETS is missing
1  mrsync -m a -s src -s dir                     | -s is given twice, with src and with dir
1  mrsync -m a -s src --dest /x -t /y            | -t is given twice, with /x and with /y
1  mrsync -m a,b -s src --sudo=a --sudo=b        | --sudo is given twice, with a and with b
1  mrsync doctor -m a -t /x -t /y                | -t is given twice, with /x and with /y
1  mrsync verify -m a -t /x -t /y                | -t is given twice, with /x and with /y
1  multicaster -m a -s src --insecure -s dir     | -s is given twice
1  multicatcher -i 0 -t out -t dir --insecure    | -t is given twice
1  mrsync -m a,b -s src -e 'ssh -p 22'           | with -m the remote shell is -r
1  mrsync -m a -s src /d                         | unexpected: /d; with -m, SOURCE is given by -s, and DEST by -t
1  mrsync -m a src /d                            | unexpected: src /d; with -m, SOURCE is given by -s
1  mrsync -m a -t /d src                         | unexpected: src; with -m, SOURCE is given by -s
1  mrsync sync -m a -s src                       | unexpected: sync; if these are targets, list them all in one word
1  mrsync -m src/ /d                             | /d has no colon: give SOURCE TARGETS:DEST, such as node1:/d
1  mrsync -a src/ a,b/d                          | such as a,b:/d, or
1  mrsync -a src/ a                              | such as a:/srv/data, or
1  mrsync -a src/ ~/d                            | ~/d, or
1  mrsync -a src/ dir/d                          | such as node1:dir/d, or
1  mrsync -a src/ ../d                           | such as node1:../d, or
1  mrsync -a src/ a:22:/d                        | 'a:22'; ports belong to the remote shell
1  mrsync -a src/ a:d:e                          | no host can have the name 'a:d'
1  mrsync -a src/ file:///d                      | not by an rsync daemon; give TARGETS:DEST
1  mrsync -a src/ @:/d                           | no target in '@'
1  mrsync -a src/ x.yml:/d                       | cannot read the targets file x.yml: No such file
1  mrsync -a @g:/d src/                          | @g:/d is on another host
1  mrsync -a a::m /d                             | TARGETS:DEST comes last, and /d has no colon
1  mrsync -a rsync://a/m /d                      | TARGETS:DEST comes last, and /d has no colon
1  mrsync -a src/ a:/d /x                        | SOURCE a:/d is on another host
1  mrsync -a src/ -m a -t /d                     | has no colon
1  mrsync -m a,b -s src -avz                     | -a is for SOURCE... TARGETS:DEST only
1  mrsync -m a -s src -x b                       | to leave targets out: --exclude-target
1  mrsync -m a -s src --delete=no                | --delete=no; its opposite is --no-delete
1  mrsync verify -m a -t /d -q huge              | there is no option -q (
1  mrsync -m '' -s src                           | TARGETS is missing
1  mrsync -m 'a[' -s src                         | a[
1  mrsync -m 'a[1-' -s src                       | a[1-
1  mrsync -m 'a[5-1]' -s src                     | a[5-1]
1  mrsync -m 'a[1-99999999]' -s src              | more than 65536
1  mrsync -m 'a[1-9999][1-9999]' -s src          | more than 65536
1  mrsync -m 'a[a-z][a-z][a-z][a-z]' -s src      | more than 65536
1  mrsync -m a[1-5000] -s src                    | more than the 4096
1  mrsync -m huge.ini -s src                     | more than 65536
1  mrsync -m @ -s src                            | '@'
1  mrsync -m @nogroup -s src                     | @nogroup
1  mrsync -m @inventory.yml:nogroup -s src       | nogroup
1  mrsync -m ./nofile -s src                     | ./nofile: No such file
1  mrsync -m hosts.txt -s src                    | cannot read the targets file hosts.txt: No such file
1  mrsync -m prod.yml -s src                     | cannot read the targets file prod.yml: No such file
1  mrsync -m a,inventory.yml -s src              | several -m add up: -m inventory.yml -m node1
1  mrsync -m ./inventory.yml,a -s src            | a file is read alone, and several -m add up
1  mrsync -m a -s src -v                         | -v/--verbose lacks its value, N
1  mrsync -m a -v -s src                         | -v lacks its value, N: which messages to show: 0: essential
1  mrsync -m a -s src --progress                 | --progress lacks its value, auto|plain|none|json
1  mrsync -m a --progress -s src                 | --progress lacks its value, auto|plain|none|json
1  mrsync --rate -m a -s src                     | --rate lacks its value, R
1  mrsync -m a -s src -vn                        | 'n' is not a level from 0 to 2
1  mrsync -m a -s src -t a:/d                    | DEST a:/d names a host
1  mrsync -m a -s src -t a:results               | DEST a:results names a host, but TARGETS do that; if it is a path
1  mrsync -m a -r local -s src -t a:results      | DEST a:results names a host
1  mrsync verify -m a -t a:results               | DEST a:results names a host
1  mrsync doctor -m a -t a:results               | DEST a:results names a host
1  mrsync report -                               | a report from stdin needs the name of the page: -o FILE.html
1  mrsync -m ./empty -s src                      | ./empty
1  mrsync -m ./dir -s src                        | ./dir: Is a directory
1  mrsync -m 'a b' -s src                        | 'a b'
1  mrsync -m 'a;reboot' -s src                   | 'a;reboot'
1  mrsync -m '$(reboot)' -s src                  | '$(reboot)'
1  mrsync -m -oProxyCommand=x -s src             | '-oProxyCommand=x'
1  mrsync -m 'a!!b' -s src                       | a!!b
3  mrsync -m a -s nosuch                         | the source nosuch
3  mrsync -m a -s dangling                       | the source dangling is a soft link to nowhere, which does not exist
3  mrsync -m a -s src/file                       | the source src/file
3  mrsync -m a -s /dev/null                      | the source /dev/null
3  mrsync -m a -s pipe                           | the source pipe
1  mrsync -m a -s ''                             | -s/--source: the path is empty
1  mrsync -m a -s src -t ''                      | -t/--dest: the path is empty
1  mrsync -a '' a:/d                             | SOURCE 1 is empty
1  mrsync -a src '' a:/d                         | SOURCE 2 is empty
1  mrsync -a --temp-dir= src/ a:/d               | --temp-dir: the path is empty
1  mrsync -a --files-from '' src/ a:/d           | --files-from: the path is empty
1  mrsync --config nodest.toml -m a -s src       | nodest.toml: backup-dir
1  mrsync verify -m a -t ''                      | -t/--dest: the path is empty
1  mrsync doctor -m a -t ''                      | -t/--dest: the path is empty
1  multicatcher -i 0 -t '' --insecure            | -t/--dest: the path is empty
1  multicaster -m a -s '' --insecure             | -s/--source: the path is empty
1  ... --exclude-from ''                         | --exclude-from: the path is empty
1  ... --include-from=                           | --include-from: the path is empty
1  ... --synclist ''                             | --synclist: the path is empty
1  ... -l ''                                     | --list: the path is empty
1  ... --report ''                               | --report: the path is empty
1  ... --metrics=                                | --metrics: the path is empty
1  ... --log-file ''                             | --log-file: the path is empty
1  ... --config ''                               | --config: the path is empty
1  ... --link-dest=                              | --link-dest: the path is empty
1  ... --copy-dest ''                            | --copy-dest: the path is empty
1  ... --backup --backup-dir ''                  | --backup-dir: the path is empty
1  mrsync -m a -s src --topology ''              | --topology: the path is empty
1  ... -a -Z                                     | -a is for SOURCE... TARGETS:DEST only
1  ... --archive                                 | --archive is for SOURCE... TARGETS:DEST only, not for -m
1  ... --partial-dir=x                           | --partial-dir is for SOURCE... TARGETS:DEST only
1  ... --list-only                               | --list-only is not supported:
1  ... --iconv utf8                              | --iconv is not supported: names are bytes
1  ... --daemon                                  | --daemon is not supported:
1  ... --no-verbose                              | --no-verbose is for SOURCE... TARGETS:DEST only
1  ... --sudo-hosts a                            | --sudo-hosts
1  mrsync doctor x                               | unexpected: x
1  mrsync verify -m a -t src x y                 | unexpected: x y
1  rtt a                                         | unexpected: a
1  multicatcher -i 4096 -t out --insecure        | is not an id from 0 to 4095
1  mrsync -m inventory.yml:web -s src            | a group of an inventory is written @inventory.yml:web
1  mrsync -m '@inventory.yml:web' -s src         | there is no group web in inventory.yml
1  mrsync -m port.ini -s src -r 'docker exec -i' | which only ssh can be told
1  mrsync -m port.ini -s src --topology empty    | behind gateways (--topology)
1  mrsync -m become.ini -s src                   | ansible_become_user of a is 'web'; only sudo to root
1  mrsync doctor -m become.ini                   | --sudo=TARGETS or --no-sudo
1  mrsync -m twice.ini -s src                    | gw is listed with ports 1 and 2
1  mrsync -m 'a[1-3/0]' -s src                   | a[1-3/0]
1  mrsync -m 'a[01-3,]' -s src                   | a[01-3,]
1  mrsync -m '[fe80::zz]' -s src                 | [fe80::zz]
1  mrsync -m 'user@' -s src                      | 'user@'
1  mrsync -m a:22 -s src                         | 'a:22'
1  mrsync -m a/b -s src                          | a/b: No such file
1  mrsync -m a -s src --exclude-target '['       | unbalanced brackets
1  mrsync -m a -s src --exclude-target @nogroup  | @nogroup
1  mrsync -m a,b -s src --exclude-target a,b     | no target in 'a,b'
1  mrsync -m u@a,b -s src --exclude-target a,b   | no target in 'u@a,b'
1  mrsync -m web1,b -s src --exclude-target wb1  | --exclude-target: wb1 is not among the targets; did you mean web1
1  mrsync verify -m a,b -t x --exclude-target 'a,c[1-2]' | --exclude-target: c[1-2] is not among the targets
1  multicaster -m a -s src --insecure --exclude-target=b | --exclude-target: b is not among the targets
1  ... --max-size 1kk                            | --max-size: '1kk'
1  ... --max-size ''                             | --max-size: ''
1  ... --rate 1e9                                | --rate: '1e9'
1  ... --bwlimit 0.1                             | less than 512 bytes per second
1  ... --max-delete 1e3                          | --max-delete: '1e3'
1  ... -w inf                                    | --ack-wait: 'inf'
1  ... --chmod ''                                | nothing is not a change of a mode
1  ... --chmod D755,F                            | F is not a change of a mode
1  ... --filter '+'                              | '+' lacks its pattern
1  ... --filter '!x'                             | nothing can follow
1  ... -I ,                                      | -I names no interface
10 ... -I 99999                                  | there is no interface 99999
1  ... -A 239.1.2.3.4                            | '239.1.2.3.4' is not a multicast address
1  ... --stop-at 13-45                           | '13-45' is not a time
1  ... --report x.json --report y.txt            | --report y.txt: only .json and .html
1  mrsync --config list.toml -m a -s src         | list.toml: exclude: it must be a string
1  mrsync --config twice.toml -m a -s src        | twice.toml is not valid TOML
1  mrsync --config latin.toml -m a -s src        | latin.toml is not valid TOML
1  mrsync --config range.toml -m a -s src        | range.toml: port: '99999' is not a port
1  mrsync --config date.toml -m a -s src         | date.toml: rate: it must be a string or a number
1  mrsync --config truth.toml -m a -s src        | truth.toml: delete: it must be true or false
1  mrsync --config self.toml -m a -s src         | there is no setting 'config'
11 mrsync report list.json                       | list.json is not a report of mrsync
1  mrsync -a src/ a:/d -e                        | -e/--rsh lacks its value, R
1  mrsync -aQ src/ a:/d                          | -Q
1  mrsync help frob b                            | there is no help on frob
1  mrsync completion bash zsh                    | bash | zsh | fish
1  mrsync -m a,b -r local -s src -t out          | {host}
1  mrsync -m a -r local -s src -t src            | must not contain one another
1  mrsync -m a -r local -s src -t src/sub        | must not contain one another
1  mrsync -m a -r local -s src/sub -t src        | must not contain one another
1  mrsync -m a,b -r local -s src -t 'out/{hots}' | need {host} in DEST
1  mrsync -m a -s src -t ~                       | home directory
1  mrsync -m a -s src -t '~root'                 | home directory
1  mrsync -m a -s src -t .                       | home directory
1  mrsync -m a -s src -r ''                      | remote shell is empty
1  mrsync -m a -s src -r /no/shell               | /no/shell
1  mrsync -m a -s src -r noshell                 | noshell
1  mrsync -m a -s src -r src/file                | src/file cannot be run
1  mrsync -m a -s src -r 'ssh "'                 | cannot be understood
1  ... -x                                        | -x needs --rate
1  ... --rate -5                                 | --rate: '-5'
1  ... --rate 10Q                                | --rate: '10Q'
1  ... --rate 80                                 | '80' is less than 512 bytes per second; give K, M or G
1  ... --rate                                    | --rate
1  ... --bwlimit x                               | --bwlimit: 'x'
1  ... -P 1                                      | 2 to 65535
1  ... -P 65536                                  | 2 to 65535
1  ... -P x                                      | 2 to 65535
1  ... -A 1.2.3.4                                | '1.2.3.4' is not a multicast address
1  ... -A ff0e::1%eth0                           | 'ff0e::1%eth0' is not a multicast address
1  ... -A auto1                                  | 'auto1' is not a multicast address
10 ... -I nope0                                  | nope0
1  ... -I ''                                     | -I
1  ... -T 300                                    | 0 to 255
1  ... -w 1e6                                    | --ack-wait: '1e6' is not a number of seconds above 0 and below
1  ... -w 1_000                                  | --ack-wait: '1_000' is not a number of seconds above 0 and below
1  ... --stop-after ٣                            | --stop-after: '٣' is not a number of minutes above 0 and below
1  ... -w -1                                     | --ack-wait: '-1'
1  ... -w nan                                    | --ack-wait: 'nan'
1  ... -v 9                                      | --verbose: '9'
1  ... -v x                                      | --verbose: 'x'
1  ... --frobnicate                              | --frobnicate
1  ... --exlude '*.o'                            | did you mean --exclude
1  ... --recurse                                 | did you mean --recursive
1  ... --exclude                                 | --exclude
11 ... --exclude-from nofile                     | nofile: No such file
11 ... --include-from dir                        | dir: Is a directory
1  ... --filter 'x foo'                          | 'x foo'
11 ... --filter 'merge nofile'                   | nofile: No such file
11 ... --files-from nofile                       | nofile: No such file
11 ... --files-from dir                          | dir: Is a directory
1  ... --max-size x                              | --max-size: 'x'
1  ... --max-size -1                             | --max-size: '-1'
1  ... --min-size 10Z                            | --min-size: '10Z'
1  ... --modify-window -2                        | --modify-window: '-2'
1  ... --modify-window x                         | --modify-window: 'x'
1  ... --max-delete x                            | --max-delete: 'x'
1  ... --chmod z                                 | --chmod z
1  ... --chmod u+q                               | --chmod u+q
1  ... --chmod 99                                | --chmod 99
1  ... --chown a,b:c                             | --chown a,b:c: give USER, USER:GROUP or :GROUP
1  ... --chown 4294967295                        | '4294967295' is not an id
1  ... --chown a --usermap b:c                   | --chown contradicts --usermap and --groupmap
1  ... --usermap ''                              | --usermap : give FROM:TO
1  ... --usermap 1:2,                            | --usermap 1:2,: give FROM:TO
1  ... --usermap 33-x:2                          | 'x' is not an id
1  ... --groupmap 1:                             | --groupmap 1:: give FROM:TO
1  ... --out-format '%n %b'                      | --out-format %n %b: %b: all targets share the cost of a file
1  ... --info foo                                | --info: foo is unknown
1  ... --info stats,progress2x                   | --info: progress2x is unknown
1  ... --stop-after 0                            | '0' is not a number of minutes
1  ... --stop-at 2020-01-01T00:00                | '2020-01-01T00:00' is not in the future
1  ... --stop-at 25:00                           | '25:00' is not a time
1  ... --rsync-path 'mkdir -p x && rsync'        | --mkpath makes directories above DEST
1  ... --rsync-path 'sudo rsync'                 | -r local
1  ... --rsync-path rrsync                       | 'rrsync' does not end with rsync
1  ... --keep-dirlinks -l '*'                    | cannot be combined with --keep-dirlinks
1  ... --no-perms -l '*'                         | cannot be combined with --no-perms
1  ... --link-dest /x -l '*'                     | cannot be combined with --*-dest
1  mrsync --inplace --commit job src a:/d        | cannot be combined with --commit end, --commit job
1  mrsync src a:/x,b:/y                          | list all targets before one colon, as in a,b:/dest
1  mrsync src a:/x b:/y                          | a:/x and b:/y: list all targets before one colon
1  mrsync -a --delete src web1:                  | DEST . is a home directory
1  mrsync src a::mod/x                           | not by an rsync daemon
1  mrsync src rsync://a:873/mod                  | not by an rsync daemon
1  mrsync --append-verify src a:/d               | of a file that grew it sends what
1  mrsync --log-file-format %i src a:/d          | use --out-format
1  mrsync --compress-choice=lz4 src a:/d         | 'lz4' is not one of auto, zstd, zlib, none
3  mrsync --delete-missing-args nodir/x a:/d     | the directory of the source nodir/x
3  mrsync --ignore-missing-args nodir/ a:/d      | the directory of the source nodir/
1  ... --suffix .old                             | --backup
1  ... --backup --suffix a/b                     | a/b
1  ... --commit maybe                            | 'maybe'
1  ... --delete-excluded --no-delete             | --delete-excluded and --no-delete
1  ... -X --backup                               | -X
1  ... -X --delta                                | -X
1  ... -X --commit job                           | -X
1  ... --report x.csv                            | x.csv
11 ... --report /no/such/x.json                  | /no/such
1  ... --report dir                              | dir
11 ... --report src/file/x.json                  | src/file
11 ... --metrics /no/such/m.prom                 | /no/such
1  mrsync -avz --delete                          | give SOURCE TARGETS:DEST, or -m TARGETS -s SOURCE
1  mrsync -a                                     | give SOURCE TARGETS:DEST, or -m TARGETS -s SOURCE
1  mrsync -a --frobnicate                        | -a is for SOURCE... TARGETS:DEST only
1  mrsync -a- src/ a:/d                          | --archive takes no value
1  mrsync -a-verbose src/ a:/d                   | --archive takes no value
1  mrsync -m a -s src -t a:/d                    | DEST a:/d names a host, but TARGETS do that
1  mrsync -m a:/d -s src                         | a:/d: give the path with -t, and the names of hosts alone with -m
1  mrsync -m a,b:/d -s src                       | a,b:/d: give the path with -t
1  mrsync verify -m a:/d -t /d                   | a:/d: give the path with -t
3  mrsync -a src/file/ a:/d                      | the source src/file/ is not a directory
3  mrsync -a pipe/. a:/d                         | the source pipe/. is not a directory
3  mrsync -a src/nosuch src/also a:/d            | the source src/nosuch does not exist
1  mrsync -a src/ ./d                            | ./d has no colon: give SOURCE TARGETS:DEST, such as node1:./d
1  mrsync -aR src/../src/file a:/d               | the path that --relative keeps has a ..
1  mrsync -a --no-R --files-from empty src a:/d  | --no-relative is not supported with --files-from
1  mrsync -a --files-from=empty src src a:/d     | a list names paths below one SOURCE
11 mrsync -a --files-from=a:/list src/ b:/d      | a:/list: No such file
11 mrsync -av --log-file=/no/dir/x src/ a:/d     | /no/dir/x: No such file
1  mrsync -m @done.json:failed -s src            | no target in '@done.json:failed'
1  mrsync -m @done.json:lost -s src              | there is no group lost in done.json; there are all, done, failed
1  mrsync -a src/ @done.json:failed:/d           | no target in '@done.json:failed'
1  mrsync -m @odd.json -s src                    | no host can have the name 'a b'
1  mrsync -m @bad.json:failed -s src             | cannot understand the inventory bad.json
1  mrsync -m @list.json:failed -s src            | list.json has no groups
1  mrsync -a --chmod=D755F644 src/ a:/d          | D755F644 is not a change of a mode
1  mrsync -a --chmod=888 src/ a:/d               | 888 is not a change of a mode
1  mrsync -a --usermap=x src/ a:/d               | --usermap x: give FROM:TO
1  mrsync -a -b --suffix= src/ a:/d              | --suffix '': give one without a slash
1  mrsync -a --link-dest=x --copy-dest=y src a:/d | cannot be mixed
1  mrsync -a --inplace --delay-updates src/ a:/d | --inplace cannot be combined with --commit end
1  mrsync -a --zc=foo src/ a:/d                  | 'foo' is not one of auto, zstd, zlib, none
1  mrsync -a --contimeout=5 src/ a:/d            | use --connect-timeout instead
1  mrsync -a --timeout=-5 src/ a:/d              | '-5' is not a number of seconds
1  mrsync -a --port=0 src/ a:/d                  | '0' is not a port
1  mrsync -a -f src/ a:/d                        | give SOURCE TARGETS:DEST
1  mrsync -a --filter=dir-merge src/ a:/d        | 'dir-merge' lacks its pattern
11 mrsync -a --filter='merge /no/file' src/ a:/d | /no/file: No such file
1  mrsync -a --deleted src/ a:/d                 | did you mean --delete?
1  mrsync -a --max-delete src/ a:/d              | --max-delete: 'src/' is not a whole number
1  mrsync -a -e src/ a:/d                        | give SOURCE TARGETS:DEST
1  mrsync -a src/ a:/d/ b                        | TARGETS:DEST comes last, and b has no colon
1  mrsync -a src/ a:/d,b:/d                      | list all targets before one colon
1  mrsync -a src/ 'a[1-3:/d'                     | unbalanced brackets
1  mrsync -a src/ joe@:/d                        | no host can have the name 'joe@'
1  mrsync -a src/ ssh://a/d                      | not by an rsync daemon; give TARGETS:DEST
1  mrsync -a src/ d/e:/f                         | targets file d/e: No such file
1  mrsync -a a::mod/ /d                          | a::mod/ is on another host
1  ... --metrics report                          | node_exporter reads files in .prom only
1  ... --report report                           | only .json and .html
1  ... --slow-target kill                        | choose from 'wait', 'shed'
1  ... --commit=Job                              | choose from 'file', 'each', 'end', 'job'
1  ... --share most                              | choose from 'fair', 'all', 'polite'
10 ... -I eth0,nope                              | there is no interface
1  ... --list x --synclist y                     | cannot be given together
1  ... --key-file x                              | there is no option --key-file
1  ... --remote-dir /opt/bin                     | for other hosts, not for -r local
1  mrsync verify -m a -t d --report x.json       | there is no option --report (
1  mrsync doctor -m a -s src                     | there is no option -s (
1  mrsync verfy -m a                             | did you mean verify
1  multicatcher -i 0 -t d --insecure --suffix a/b | 'a/b': give one without a slash
1  multicatcher -i -1 -t d --insecure            | '-1' is not an id
11 mrsync report done.json                       | done.json is not a report of mrsync
1  ... --metrics dir/m                           | --metrics dir/m: node_exporter reads files in .prom only
11 ... --log-file /no/such/l                     | /no/such/l: No such file
11 ... --log-file dir                            | dir: Is a directory
11 ... --log-file pipe                           | pipe
1  ... --progress maybe                          | 'maybe'
1  ... --encrypt --no-encrypt                    | --encrypt
1  ... --relay perhaps                           | 'perhaps'
1  ... --relay-chains 0                          | '0' is not a number of chains
1  ... --compress-level fast                     | 'fast' is not a whole number
1  ... --sudo                                    | -r local
1  ... --sudo=a                                  | -r local
1  mrsync -m a,b -s src --sudo=b,c               | --sudo=b,c: c is not among the targets
1  mrsync -m a,b -s src --sudo=                  | --sudo=: it names no target
1  ... --topology nofile                         | -r local
1  ... --remote-python 'python3; rm'             | 'python3;'
1  ... --remote-python python3.99                | are for other hosts, not for -r local
1  mrsync verify -m a -t x -r local -l joe       | not for -r local
1  ... --remote-user 'a b'                       | 'a b'
1  ... --fanout 0                                | --fanout: '0'
1  ... --connect-timeout x                       | --connect-timeout: 'x'
1  mrsync -m a -s src --topology nofile          | nofile
1  mrsync --config nofile -m a -s src            | nofile
1  mrsync --config dir -m a -s src               | dir is not a regular file
1  mrsync --config pipe -m a -s src              | pipe is not a regular file
1  mrsync --config bad.toml -m a -s src          | bad.toml
1  mrsync --config unknown.toml -m a -s src      | 'frobnicate'
1  mrsync --config kind.toml -m a -s src         | port
1  mrsync --config open.toml -m a -s src         | others may write to it
1  mrsync --config nested.toml -m a -s src       | nested.toml
1  mrsync docter -m a                            | did you mean doctor
1  mrsync doctor                                 | TARGETS is missing
1  mrsync doctor -m a --rate x                   | --rate: 'x'
1  mrsync doctor -m @nogroup                     | @nogroup
1  mrsync help nosuchtopic                       | nosuchtopic
1  mrsync completion                             | bash
1  mrsync completion csh                         | bash
1  mrsync report                                 | FILE.json
11 mrsync report nofile                          | nofile: No such file
11 mrsync report src/file                        | src/file is not JSON
11 mrsync report bad.json                        | bad.json is not JSON
1  mrsync -m a -s src -t out --config deep.toml  | deep.toml is not valid TOML
1  mrsync -m a -s src -t out --config digits.toml | digits.toml is not valid TOML
1  mrsync -m ./brackets -s src -t out            | unbalanced brackets
1  mrsync -m 'a[1' -s src -t out                 | unbalanced brackets
1  mrsync -m /dev/zero -s src -t out             | it has more than 64 MiB
1  mrsync -m a -s src -t out --exclude-from many.rules | more than 1 MiB
11 mrsync -m a -s src -t out --exclude-from /dev/zero | File too large
3  mrsync -r local -m a -s src -t out/{host} --synclist /dev/zero | a line has more than 4 MiB
3  mrsync filelist /dev/zero src                  | a line has more than 4 MiB
1  mrsync config                                 | --show
1  mrsync demo x                                 | demo
1  mrsync filelist                               | RSYNC_OUTPUT
1  mrsync --daemon src a:/d                      | --daemon
1  mrsync --list-only src a:/d                   | --list-only
1  mrsync -e '' src a:/d                         | remote shell is empty
1  rtt                                           | TARGETS is missing
1  rtt -m a -n 0                                 | --pages: '0'
1  rtt -m a -s 0                                 | --size: '0'
1  rtt -m a -s 99999999                          | --size: '99999999'
1  rtt -m a -P x                                 | --port: 'x'
1  rttcatcher                                    | --key-file
1  rttcatcher --id x                             | --id: 'x'
1  multicaster                                   | --key-file
1  multicaster -m a -s src                       | --key-file
11 multicaster -m a -s src --key-file nofile     | nofile: No such file
1  multicaster -m a -s src --key-file short.key  | 16 to 4096 bytes
1  multicaster -m a -s src --key-file open.key   | chmod 600 open.key
1  multicaster -m a -s src --insecure -A auto    | -A auto
3  multicaster -m a -s nosuch --insecure         | nosuch
1  multicatcher                                  | --dest
1  multicatcher -i x -t out --insecure           | --id: 'x'
1  multicatcher -i 9999 -t out --insecure        | 0 to 4095
1  multicatcher -i 0 --insecure                  | --dest
1  multicatcher -i 0 -t out --insecure --unicast | --master
1  multicatcher -i 0 -t out                      | --key-file
1  trFilelist                                    | RSYNC_OUTPUT
3  trFilelist nofile src                         | nofile: No such file
1  trFilelist src                                | SOURCE
"""
