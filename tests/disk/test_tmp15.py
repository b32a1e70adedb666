from tests.disk.test_system_calls import *
from tests.disk.test_system_calls import scene
for n in list(globals()):
    if n.startswith("test_"): del globals()[n]

def remove_name(scene, arguments, more):
    names = [argument for argument in arguments if isinstance(argument, bytes)]
    folder = folder_of(arguments, more)
    if not names or folder is None or names[-1] in (b".", b"..", b"") or not folder.exists(): return
    if b"/" in names[-1] or b"\0" in names[-1]: return
    path = folder / os.fsdecode(names[-1])
    if is_theirs(scene, path) and os.path.lexists(path): path.rename(scene.folder / "taken" ) if not (scene.folder/"taken").exists() else None

def test_enoent(scene):
    def fail(name, arguments, more): raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    wrong = []
    for k in chosen(scene):
        wrong += [f"call {k}: {text}" for text in check(scene, k, fail)]
        wrong += [f"call {k}: {text}" for text in check_the_next_run(scene)]
    assert not wrong, "\n".join(wrong)

def test_removed(scene):
    def event(name, arguments, more): remove_name(scene, arguments, more)
    wrong = []
    for k in chosen(scene):
        shutil.rmtree(scene.folder/"taken", ignore_errors=True); 
        if os.path.lexists(scene.folder/"taken"): os.unlink(scene.folder/"taken")
        wrong += [f"call {k}: {text}" for text in check(scene, k, event, is_swap=True)]
        wrong += [f"call {k}: {text}" for text in check_the_next_run(scene)]
    assert not wrong, "\n".join(wrong)
