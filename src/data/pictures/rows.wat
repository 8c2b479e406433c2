;; The rows of one channel resized: each new pixel is a weighted sum of old ones, eight of which are taken at a time.
;; Weights are in two parts, low and high, so that they fit the 16-bit multiplication that WebAssembly has.
(module
  (memory (export "memory") 1)
  (func (export "rows")
    (param $from i32)    ;; [height, width] bytes, and at least 8 that may be read after them
    (param $width i32)
    (param $height i32)
    (param $weights i32) ;; for each new position: start, groups of eight, two words unused; then low and high of each group
    (param $toWidth i32)
    (param $to i32)      ;; [height, toWidth] bytes
    (local $x i32) (local $at i32) (local $group i32) (local $pixel i32)
    (local $low v128) (local $high v128) (local $pixels v128) (local $sum i32)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $height)))
        (local.set $at (local.get $weights))
        (local.set $x (local.get $toWidth))
        (loop $position
          (local.set $pixel (i32.add (local.get $from) (i32.load (local.get $at))))
          (local.set $group (i32.load offset=4 (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (local.set $low (v128.const i32x4 0 0 0 0))
          (local.set $high (v128.const i32x4 0 0 0 0))
          (loop $eight
            (local.set $pixels (v128.load8x8_u (local.get $pixel)))
            (local.set $low
              (i32x4.add (local.get $low) (i32x4.dot_i16x8_s (local.get $pixels) (v128.load (local.get $at)))))
            (local.set $high
              (i32x4.add (local.get $high) (i32x4.dot_i16x8_s (local.get $pixels) (v128.load offset=16 (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 32)))
            (local.set $pixel (i32.add (local.get $pixel) (i32.const 8)))
            (br_if $eight (local.tee $group (i32.sub (local.get $group) (i32.const 1)))))
          (local.set $low
            (i32x4.add (local.get $low) (i32x4.shl (local.get $high) (i32.const 11))))
          (local.set $sum
            (i32.shr_s
              (i32.add
                (i32.const 0x200000) ;; a half
                (i32.add
                  (i32.add (i32x4.extract_lane 0 (local.get $low)) (i32x4.extract_lane 1 (local.get $low)))
                  (i32.add (i32x4.extract_lane 2 (local.get $low)) (i32x4.extract_lane 3 (local.get $low)))))
              (i32.const 22)))
          (i32.store8 (local.get $to)
            (select (i32.const 0)
              (select (i32.const 255) (local.get $sum) (i32.gt_s (local.get $sum) (i32.const 255)))
              (i32.lt_s (local.get $sum) (i32.const 0))))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (br_if $position (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
        (local.set $from (i32.add (local.get $from) (local.get $width)))
        (local.set $height (i32.sub (local.get $height) (i32.const 1)))
        (br $row)))))
