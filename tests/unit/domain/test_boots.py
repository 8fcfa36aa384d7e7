from edged.domain.boots import boot_name, is_of_boot

MACHINE = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_a_start_tells_its_boot_of_the_machine() -> None:
    name = boot_name(MACHINE, "a1b2c3")
    assert name == "0f8fad5bd9cb-a1b2c3"
    assert is_of_boot(name, MACHINE)
    assert not is_of_boot(name, MACHINE.replace("0f8f", "0f80"))


def test_where_the_kernel_says_nothing_no_start_is_of_any_boot() -> None:
    assert boot_name("", "a1b2c3") == "a1b2c3"
    assert not is_of_boot("a1b2c3", "")
    assert not is_of_boot("-a1b2c3", "")
    assert boot_name("../../../../../etc", "x") == "x"
