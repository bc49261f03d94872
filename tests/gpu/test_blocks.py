"""Free blocks in the order in which they came free."""

from dcsim.gpu.blocks import FreeBlocks


def test_the_oldest_free_blocks_go_first_and_of_a_sequence_its_last() -> None:
    blocks = FreeBlocks(10)
    blocks.take(8)
    run = blocks.leave(5)  # 2 others are before it
    blocks.give(3)  # and 3 behind
    assert blocks.free == 10
    blocks.take(4)  # 2 others, and the last 2 of the five
    assert blocks.reclaim(run, 5) == 3
    assert blocks.free == 3


def test_only_whole_blocks_of_the_start_are_taken_back() -> None:
    blocks = FreeBlocks(4)
    blocks.take(4)
    run = blocks.leave(4)
    assert blocks.reclaim(run, 2) == 2
    assert blocks.free == 2
    blocks.take(2)
    assert blocks.free == 0


def test_what_is_used_again_is_lost() -> None:
    blocks = FreeBlocks(4)
    blocks.take(4)
    run = blocks.leave(3)
    blocks.give(1)
    blocks.take(4)
    assert blocks.reclaim(run, 3) == 0
    blocks.give(4)
    blocks.take(4)
    assert blocks.free == 0
